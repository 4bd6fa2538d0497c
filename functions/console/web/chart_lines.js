/** The lines of the chart of a month. Pure functions. */

/**
 * @typedef {object} ChartData
 * @property {{ start: string, end: string }} period
 * @property {{ date: string, events: number, sum: number }[]} days
 * @property {number | null} limit null is no quota
 * @property {number | null} projected the sum at the end of the period
 */
/**
 * @typedef {object} Lines
 * @property {number[]} times of all days of the period, in seconds
 * @property {(number | null)[]} sums
 * @property {number | null} quota the height of its line, null without one
 * @property {(number | null)[]} pace the line to the sum at the end of the period
 * @property {number} top the largest value of the drawing
 */

const SECOND_MS = 1_000;
export const DAY_SECONDS = 86_400;
/** A quota that is further away would flatten the other lines. */
const MOST_ABOVE = 4;

/**
 * Return the lines over the days of a period.
 * @param {ChartData} data
 * @returns {Lines}
 */
export function linesOf({ period, days, limit, projected }) {
  const times = timesOf(period);
  const last = days.length - 1;
  const from = days[last]?.sum ?? 0;
  const steps = Math.max(1, times.length - 1 - last);
  const highest = Math.max(from, projected ?? 0);
  const quota = limit !== null && limit <= highest * MOST_ABOVE ? limit : null;
  return {
    times,
    sums: times.map((_, index) => days[index]?.sum ?? null),
    quota,
    pace: times.map((_, index) => (projected === null || index < last ? null : from + ((projected - from) * (index - last)) / steps)),
    top: Math.max(1, highest, quota ?? 0),
  };
}

/** @param {{ start: string, end: string }} period */
export function timesOf({ start, end }) {
  const times = [];
  for (let time = Date.parse(start); time < Date.parse(end); time += DAY_SECONDS * SECOND_MS) times.push(time / SECOND_MS);
  return times;
}
