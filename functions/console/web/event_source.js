/** Reads stored events for the page of events. */

import { request, requestAll } from "./api.js";
import { may } from "./session.js";
import { identityOf } from "./tail.js";

/** @typedef {import("./types.d.ts").App} App */
/** @typedef {import("./types.d.ts").StoredEvent} StoredEvent */
/** @typedef {import("./types.d.ts").Trace} Trace */
/** @typedef {import("./tail.js").EventPage} EventPage */
/** @typedef {import("./trace.js").TracedId} TracedId */

export const PAGE_SIZE = 100;
/** A page of a filtered list ends after some read rows, so it can be empty. */
const MOST_EMPTY_PAGES = 5;
const DAY_MS = 86_400_000;

/**
 * Return a page of events, newest first. Empty pages are skipped, a few of them.
 * @param {Record<string, string>} chosen filters
 * @param {string | null} cursor
 * @param {AbortSignal} [signal]
 * @returns {Promise<EventPage>}
 */
export async function listEvents(chosen, cursor, signal) {
  let page = await firstOf(chosen, cursor, signal);
  for (let turn = 1; turn < MOST_EMPTY_PAGES && page.data.length === 0 && page.pagination.has_more; turn += 1) {
    page = await firstOf(chosen, page.pagination.next_cursor, signal);
  }
  return page;
}

/**
 * Return one page of events.
 * @param {Record<string, string>} chosen
 * @param {string | null} cursor
 * @param {AbortSignal} [signal]
 * @returns {Promise<EventPage>}
 */
export async function firstOf(chosen, cursor, signal) {
  return request("GET", "events", { query: { ...chosen, limit: PAGE_SIZE, cursor }, signal });
}

/**
 * Say where events are.
 * @param {TracedId[]} ids
 * @param {AbortSignal} [signal]
 * @returns {Promise<Trace>}
 */
export async function traceEvents(ids, signal) {
  return request("POST", "events/trace", { body: { ids }, signal });
}

/**
 * Return a stored event, or null.
 * @param {TracedId} id
 * @param {AbortSignal} signal
 * @returns {Promise<StoredEvent | null>}
 */
export async function findEvent(id, signal) {
  const [found] = (await traceEvents([id], signal)).events;
  if (found.state !== "stored" || !found.device_id || !found.event_timestamp) return null;
  const at = Date.parse(found.event_timestamp);
  const query = { device_id: found.device_id, from: dayOf(at), to: dayOf(at + DAY_MS) };
  const wanted = identityOf(found);
  for (let cursor = null; ; ) {
    const page = await listEvents(query, cursor, signal);
    const event = page.data.find((each) => identityOf(each) === wanted);
    cursor = page.pagination.next_cursor;
    if (event || !page.pagination.has_more) return event ?? null;
  }
}

/**
 * Return the apps. Without the permission there are none.
 * @param {AbortSignal} signal
 * @returns {Promise<App[]>}
 */
export async function loadApps(signal) {
  return may("apps:read") ? requestAll("apps", { signal }) : [];
}

/** @param {number} time in milliseconds */
function dayOf(time) {
  return new Date(time).toISOString().slice(0, "YYYY-MM-DD".length);
}
