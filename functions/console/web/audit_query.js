/** The filters of the audit log, in the URL and for the API. Pure functions. */

/** @typedef {{ from: string, to: string, actor: string, action: string, outcome: string }} Filters */

const DAY_MS = 86_400_000;
const SHOWN_DAYS = 30;
export const ACTOR_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Return the filters in a URL. Without days they are the last 30, in UTC.
 * @param {URLSearchParams} query
 * @param {Date} now
 * @returns {Filters}
 */
export function readFilters(query, now) {
  const days = { from: dayOf(now.getTime() - (SHOWN_DAYS - 1) * DAY_MS), to: dayOf(now.getTime()) };
  const read = (/** @type {keyof Filters} */ name) => query.get(name) ?? "";
  return { from: read("from") || days.from, to: read("to") || days.to, actor: read("actor"), action: read("action"), outcome: read("outcome") };
}

/**
 * Return the query of GET /v1/audit. Its `to` is the day after the last one.
 * @param {Filters} filters
 */
export function queryOf({ from, to, actor, action, outcome }) {
  const end = Date.parse(to);
  return {
    from: from || null,
    to: Number.isNaN(end) ? null : dayOf(end + DAY_MS),
    actor: actor || null,
    action: action.trim() || null,
    outcome: outcome || null,
  };
}

/**
 * Return one CSV file of its pages: the line of titles stands once.
 * @param {string[]} pages
 */
export function joinCsv(pages) {
  return pages.map((text, at) => (at === 0 ? text : text.slice(text.indexOf("\n") + 1))).join("");
}

/** @param {number} time */
function dayOf(time) {
  return new Date(time).toISOString().slice(0, 10);
}
