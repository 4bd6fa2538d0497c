/** The filters of the events: in the URL, in the query of the API, and in words. */

/** @typedef {{ name: string, title: string, kind: "text" | "app" | "day", hint: string }} EventFilter */
/** @typedef {Record<string, string>} Chosen values by the name of their filter */

/** The days are of the event's own time, in UTC. @type {EventFilter[]} */
export const EVENT_FILTERS = [
  { name: "event_name", title: "Name", kind: "text", hint: "Order Completed" },
  { name: "event_type", title: "Type", kind: "text", hint: "track" },
  { name: "device_id", title: "Device", kind: "text", hint: "The whole id" },
  { name: "app_id", title: "App", kind: "app", hint: "" },
  { name: "from", title: "From day", kind: "day", hint: "" },
  { name: "to", title: "Before day", kind: "day", hint: "" },
];
/** The parameters in the URL of the console. */
const PARAMETERS = { app_id: "app" };

/**
 * @param {URLSearchParams} query of the page
 * @returns {Chosen}
 */
export function readFilters(query) {
  const pairs = EVENT_FILTERS.map(({ name }) => /** @type {[string, string]} */ ([name, query.get(parameterOf(name)) ?? ""]));
  return Object.fromEntries(pairs.filter(([, value]) => value.trim()));
}

/**
 * Return the changes of the URL that make it show the filters.
 * @param {Chosen} chosen
 * @returns {Record<string, string | null>}
 */
export function writeFilters(chosen) {
  return Object.fromEntries(EVENT_FILTERS.map(({ name }) => [parameterOf(name), chosen[name] ?? null]));
}

/**
 * Return a filter in words.
 * @param {string} name
 * @param {string} value
 * @param {(id: string) => string} appName
 */
export function filterText(name, value, appName) {
  const title = EVENT_FILTERS.find((filter) => filter.name === name)?.title ?? name;
  return `${title}: ${name === "app_id" ? appName(value) : value}`;
}

/** @param {string} name */
function parameterOf(name) {
  return name === "app_id" ? PARAMETERS.app_id : name;
}
