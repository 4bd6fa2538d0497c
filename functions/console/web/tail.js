/** The events that the live list shows, and those that wait until its reader asks for them. */

import { formatNumber } from "./format.js";

/** @typedef {import("./types.d.ts").StoredEvent} StoredEvent */
/** @typedef {import("./types.d.ts").Listed<StoredEvent>} EventPage */
/**
 * @typedef {object} Tail
 * @property {StoredEvent[]} rows shown, newest first
 * @property {StoredEvent[]} waiting newer ones, newest first
 * @property {boolean} hasGap events between *waiting* and *rows* are missing
 * @property {string | null} cursor of the older ones
 */

export const MOST_WAITING = 500;
/** An open page gathers new events for days. Older ones are loaded again by their button. */
export const MOST_SHOWN = 2_000;

/** @type {Tail} */
export const EMPTY_TAIL = { rows: [], waiting: [], hasGap: false, cursor: null };

/**
 * Return the tail that begins with the first page.
 * @param {EventPage} page
 * @returns {Tail}
 */
export function startTail(page) {
  return { rows: page.data, waiting: [], hasGap: false, cursor: cursorOf(page) };
}

/**
 * Return the tail with the new events of a poll behind it. The shown events stay.
 * @param {Tail} tail
 * @param {EventPage} page the first one, as of now
 * @returns {Tail}
 */
export function mergePoll(tail, page) {
  const known = knownBy(tail);
  const fresh = page.data.filter((event) => !known.has(identityOf(event)));
  if (fresh.length === 0) return tail;
  const isAllNew = fresh.length === page.data.length && page.pagination.has_more && known.size > 0;
  const waiting = [...fresh, ...tail.waiting].sort(byTime);
  const hasGap = tail.hasGap || isAllNew || waiting.length > MOST_WAITING;
  return { ...tail, waiting: waiting.slice(0, MOST_WAITING), hasGap };
}

/**
 * Return the tail that shows all that waited. A tail with a gap, or with too many rows, is to be loaded again instead.
 * @param {Tail} tail
 * @returns {Tail}
 */
export function showWaiting(tail) {
  return { ...tail, rows: [...tail.waiting, ...tail.rows].sort(byTime), waiting: [] };
}

/**
 * Tell whether the waiting events can be shown above the others.
 * @param {Tail} tail
 */
export function hasRoom(tail) {
  return !tail.hasGap && tail.waiting.length + tail.rows.length <= MOST_SHOWN;
}

/**
 * Return the tail with an older page at its end.
 * @param {Tail} tail
 * @param {EventPage} page
 * @returns {Tail}
 */
export function appendOlder(tail, page) {
  const known = knownBy(tail);
  const older = page.data.filter((event) => !known.has(identityOf(event)));
  return { ...tail, rows: [...tail.rows, ...older], cursor: cursorOf(page) };
}

/**
 * Return how many events wait, in words.
 * @param {Tail} tail
 */
export function waitingText(tail) {
  return `${formatNumber(tail.waiting.length)}${tail.hasGap ? "+" : ""} new`;
}

/**
 * Return the text that tells an event from all others.
 * @param {{ event_id: string, device_id: string | null, event_timestamp: string | null }} event
 */
export function identityOf(event) {
  return JSON.stringify([event.event_id, event.device_id, event.event_timestamp]);
}

/** @param {Tail} tail */
function knownBy(tail) {
  return new Set([...tail.rows, ...tail.waiting].map(identityOf));
}

/** @param {EventPage} page */
function cursorOf(page) {
  return page.pagination.has_more ? page.pagination.next_cursor : null;
}

/**
 * Newest first. The API's order of events with the same time stays.
 * @param {StoredEvent} one
 * @param {StoredEvent} other
 */
function byTime(one, other) {
  return other.event_timestamp.localeCompare(one.event_timestamp);
}
