/** The statements of the usage page about a quota: its share, its pace and its effect. Pure functions. */

import { formatUtcDay } from "./format.js";

/** @typedef {import("./types.d.ts").Usage} Usage */
/** @typedef {import("./types.d.ts").Day} Day */

const DAY_MS = 86_400_000;
export const WARN_SHARE = 0.8;

/**
 * @typedef {object} Metric
 * @property {string} name in the answer of GET /v1/usage
 * @property {string} title
 * @property {boolean} isMonthly it begins anew with each month
 * @property {boolean} isBytes
 * @property {keyof Day | null} daily its member of a day
 * @property {string} effect what happens over the quota
 */

/** @type {Metric[]} */
export const METRICS = [
  {
    name: "events",
    title: "Events",
    isMonthly: true,
    isBytes: false,
    daily: "events",
    effect: "events up to another 10% of it are held, and further ones are refused.",
  },
  {
    name: "api_requests",
    title: "Requests of keys and members",
    isMonthly: true,
    isBytes: false,
    daily: "api_requests",
    effect: "requests of secret keys and members are refused until the month ends.",
  },
  {
    name: "ingest_requests",
    title: "Requests of apps",
    isMonthly: true,
    isBytes: false,
    daily: "ingest_requests",
    effect: "requests with write keys are refused until the month ends.",
  },
  {
    name: "storage_bytes",
    title: "Storage",
    isMonthly: false,
    isBytes: true,
    daily: "storage_bytes",
    effect: "reports of stored bytes are refused, and new events are held.",
  },
  {
    name: "ml_predictions",
    title: "Predictions",
    isMonthly: true,
    isBytes: false,
    daily: "ml_predictions",
    effect: "further predictions are refused until the month ends.",
  },
  {
    name: "users",
    title: "Users",
    isMonthly: false,
    isBytes: false,
    daily: null,
    effect: "no further member can be invited.",
  },
  {
    name: "apps",
    title: "Apps",
    isMonthly: false,
    isBytes: false,
    daily: null,
    effect: "no further app can be created.",
  },
];

/**
 * Return the part of a month that has passed, from 0 to 1. The first day counts whole: its pace says little.
 * @param {{ start: string, end: string }} period
 * @param {Date} now
 */
export function elapsedPart(period, now) {
  const [start, end] = [Date.parse(period.start), Date.parse(period.end)];
  const passed = Math.min(end, Math.max(now.getTime(), start + DAY_MS)) - start;
  return passed / (end - start);
}

/**
 * Return the use at the month's end at the pace of this month, or null where there is no pace.
 * @param {Metric} metric
 * @param {Usage} usage
 * @param {Date} now
 */
export function projectedUse(metric, usage, now) {
  if (metric.daily === null) return null;
  const member = metric.daily;
  const used = usage.quotas[metric.name].used;
  const part = elapsedPart(usage.period, now);
  if (metric.isMonthly) return Math.round(used / part);
  const added = usage.daily.reduce((sum, day) => sum + Number(day[member]), 0);
  return Math.round(used + added / part - added);
}

/**
 * Return the day on which a quota is reached at the present pace. Null: not in this month, or already.
 * @param {Metric} metric
 * @param {Usage} usage
 * @param {Date} now
 */
export function dayOfLimit(metric, usage, now) {
  const { used, limit } = usage.quotas[metric.name];
  const projected = projectedUse(metric, usage, now);
  if (limit === null || projected === null || projected <= limit || used >= limit) return null;
  const end = Date.parse(usage.period.end);
  const left = end - now.getTime();
  return new Date(now.getTime() + (left * (limit - used)) / (projected - used));
}

/**
 * Return the day on which a quota is reached in words, or nothing.
 * @param {Metric} metric
 * @param {Usage} usage
 * @param {Date} now
 */
export function paceText(metric, usage, now) {
  const day = dayOfLimit(metric, usage, now);
  return day ? ` At this pace the quota is reached on ${formatUtcDay(day)} (UTC).` : "";
}

/**
 * Return the quotas of which 80 % or more is used, the fullest first.
 * @param {Usage} usage
 */
export function fullQuotas(usage) {
  const share = (/** @type {Metric} */ metric) => shareOf(usage.quotas[metric.name]);
  return METRICS.filter((metric) => share(metric) >= WARN_SHARE).sort((one, other) => share(other) - share(one));
}

/**
 * Return the used part of a quota: 1 is all of it.
 * @param {{ used: number, limit: number | null }} quota
 */
export function shareOf({ used, limit }) {
  if (limit === null) return 0;
  return limit === 0 ? Number(used > 0) : used / limit;
}

/**
 * Return each day of the period, with zeros for days without use, up to *now*.
 * @param {{ start: string, end: string }} period
 * @param {{ date: string, events: number }[]} days
 * @param {Date} now
 */
export function fillDays(period, days, now) {
  const known = new Map(days.map((day) => [day.date, day.events]));
  const filled = [];
  let sum = 0;
  const last = Math.min(Date.parse(period.end) - 1, now.getTime());
  for (let time = Date.parse(period.start); time <= last; time += DAY_MS) {
    const date = new Date(time).toISOString().slice(0, 10);
    const events = known.get(date) ?? 0;
    sum += events;
    filled.push({ date, events, sum });
  }
  return filled;
}

/**
 * Return the days until a period ends, at least 1.
 * @param {{ end: string }} period
 * @param {Date} now
 */
export function daysLeft(period, now) {
  return Math.max(1, Math.ceil((Date.parse(period.end) - now.getTime()) / DAY_MS));
}
