/** Numbers, sizes, days and times in the browser's locale. */

const BYTE_NAMES = ["B", "KiB", "MiB", "GiB", "TiB"];
const STEP = 1024;
const DAY_MS = 86_400_000;
const SECOND_MS = 1_000;
const MOST_DIGITS = 6; // behind the decimal point, of amounts of money
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const SPANS = [
  ["day", DAY_MS],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
];

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
/** Cut off, not rounded: 99.6 % is shown as 99 %. */
const share = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0, roundingMode: "trunc" });
const ratio = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const size = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const dayOfUtc = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", timeZone: "UTC" });
const longDayOfUtc = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeZone: "UTC" });
const shortDay = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const exactMoment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const exactClock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const clockOfUtc = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit", timeZone: "UTC", timeZoneName: "short" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

/** @param {number} value */
export function formatNumber(value) {
  return whole.format(value);
}

/** @param {number} value */
export function formatShort(value) {
  return short.format(value);
}

/** @param {number} part 1 is all */
export function formatShare(part) {
  return share.format(part);
}

/**
 * Return a ratio to one as "4.48:1".
 * @param {number} value
 */
export function formatRatio(value) {
  return `${ratio.format(value)}:1`;
}

/**
 * Return the number of a UTC day in its month.
 * @param {number} seconds since 1970
 */
export function formatDayNumber(seconds) {
  return whole.format(new Date(seconds * SECOND_MS).getUTCDate());
}

/** @param {number} bytes */
export function formatBytes(bytes) {
  let unit = 0;
  let value = bytes;
  while (Math.abs(value) >= STEP && unit < BYTE_NAMES.length - 1) {
    value /= STEP;
    unit += 1;
  }
  return `${size.format(value)} ${BYTE_NAMES[unit]}`;
}

/**
 * Return a UTC day as "12 November".
 * @param {string | Date} day
 */
export function formatUtcDay(day) {
  return dayOfUtc.format(new Date(day));
}

/**
 * Return the days from *start* to the last one before *end* as "1 – 30 November 2026".
 * @param {string} start
 * @param {string} end
 */
export function formatUtcDays(start, end) {
  return longDayOfUtc.formatRange(new Date(start), new Date(Date.parse(end) - DAY_MS));
}

/** @param {string | Date} time */
export function formatDay(time) {
  return shortDay.format(new Date(time));
}

/** @param {string | Date} time */
export function formatMoment(time) {
  return moment.format(new Date(time));
}

/**
 * Return a moment with its seconds.
 * @param {string | Date} time
 */
export function formatExact(time) {
  return exactMoment.format(new Date(time));
}

/** @param {string | Date} time */
export function formatClock(time) {
  return clock.format(new Date(time));
}

/**
 * Return a time of the day in UTC as "10:42 UTC".
 * @param {string | Date} time
 */
export function formatUtcClock(time) {
  return clockOfUtc.format(new Date(time));
}

/**
 * Return an amount of money. The text keeps digits that a number has no place for.
 * @param {string} amount
 * @param {string | null} currency its code, as ISO 4217 has it
 */
export function formatMoney(amount, currency) {
  const options = { maximumFractionDigits: MOST_DIGITS, ...(currency ? { style: /** @type {const} */ ("currency"), currency } : {}) };
  return new Intl.NumberFormat(undefined, options).format(/** @type {`${number}`} */ (amount));
}

/**
 * Return a time of the day with its seconds.
 * @param {string | Date} time
 */
export function formatExactClock(time) {
  return exactClock.format(new Date(time));
}

/**
 * Return a number of days for an English sentence.
 * @param {number} days
 */
export function formatDays(days) {
  return `${whole.format(days)} ${days === 1 ? "day" : "days"}`;
}

/**
 * Return *time* as seen from *now*: "3 minutes ago".
 * @param {string | Date} time
 * @param {Date} [now]
 */
export function formatRelative(time, now = new Date()) {
  const distance = new Date(time).getTime() - now.getTime();
  for (const [unit, length] of SPANS) {
    if (Math.abs(distance) >= length) return relative.format(Math.trunc(distance / length), unit);
  }
  return relative.format(0, "second");
}
