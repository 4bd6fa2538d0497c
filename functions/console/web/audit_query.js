/** The filters of the audit log: in the URL, for the API, and in words. Pure functions. */

/** @typedef {{ name: string, title: string, kind: "text" | "choice" | "day", hint: string }} Filter */
/** @typedef {Record<string, string>} Chosen values by the name of their filter */

const DAY_MS = 86_400_000;
const SHOWN_DAYS = 30;
/** @type {[string, string][]} */
export const OUTCOMES = [
  ["done", "Done"],
  ["refused", "Refused"],
];

/** The days are in UTC. @type {Filter[]} */
export const AUDIT_FILTERS = [
  { name: "action", title: "Action", kind: "text", hint: "session.started" },
  { name: "actor", title: "Who", kind: "choice", hint: "" },
  { name: "outcome", title: "Outcome", kind: "choice", hint: "" },
  { name: "from", title: "From day", kind: "day", hint: "" },
  { name: "to", title: "Before day", kind: "day", hint: "" },
];

/**
 * @param {URLSearchParams} query of the page
 * @returns {Chosen}
 */
export function readFilters(query) {
  const pairs = AUDIT_FILTERS.map(({ name }) => /** @type {[string, string]} */ ([name, (query.get(name) ?? "").trim()]));
  return Object.fromEntries(pairs.filter(([, value]) => value));
}

/**
 * Return the changes of the URL that make it show the filters.
 * @param {Chosen} chosen
 * @returns {Record<string, string | null>}
 */
export function writeFilters(chosen) {
  return Object.fromEntries(AUDIT_FILTERS.map(({ name }) => [name, chosen[name] ?? null]));
}

/**
 * Return a filter in words.
 * @param {string} name
 * @param {string} value
 * @param {[string, string][] | null} choices values with their texts
 */
export function filterText(name, value, choices) {
  const title = AUDIT_FILTERS.find((filter) => filter.name === name)?.title ?? name;
  return `${title}: ${choices?.find(([choice]) => choice === value)?.[1] ?? value}`;
}

/**
 * Return the query of GET /v1/audit. Without days it is for the last 30, with today.
 * @param {Chosen} chosen
 * @param {Date} now
 */
export function queryOf({ from, to, actor, action, outcome }, now) {
  const end = to ?? dayOf(now.getTime() + DAY_MS);
  const start = from ?? dayOf((Date.parse(end) || now.getTime()) - SHOWN_DAYS * DAY_MS);
  return { from: start, to: end, actor: actor ?? null, action: action ?? null, outcome: outcome ?? null };
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
