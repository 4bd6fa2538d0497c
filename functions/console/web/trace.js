/** "Where is my event?": reads pasted ids, and explains the answers. */

import { formatNumber } from "./format.js";

/** @typedef {{ event_id: string, device_id?: string, event_timestamp?: string }} TracedId */
/** @typedef {import("./types.d.ts").TracedEvent} TracedEvent */
/** @typedef {import("./types.d.ts").Trace} Trace */

export const MOST_TRACED = 100;
const SECONDS_PER_MINUTE = 60;

/**
 * Return the ids in a text: one a line, with device and time behind tabs; or JSON. The same line counts once.
 * @param {string} text
 * @returns {TracedId[]}
 */
export function parseIds(text) {
  const ids = parseJson(text) ?? text.split(/\r?\n/).map(parseLine);
  const found = ids.filter((id) => id.event_id);
  return [...new Map(found.map((id) => [JSON.stringify(id), id])).values()];
}

/** @param {string} line */
function parseLine(line) {
  const [id, device, time] = line.split("\t").map((part) => part.trim());
  return idOf(id, device, time);
}

/**
 * Return the ids of a JSON object or list: events as they were sent, objects of ids, or texts. Null is no JSON.
 * @param {string} text
 * @returns {TracedId[] | null}
 */
function parseJson(text) {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    const document = JSON.parse(text);
    const listed = Array.isArray(document) ? document : (document.events ?? document.ids ?? document.batch ?? [document]);
    if (!Array.isArray(listed)) return null;
    return listed.map((each) => (typeof each === "string" ? idOf(each) : idOf(each?.event_id ?? each?.messageId, each?.device_id, each?.event_timestamp)));
  } catch {
    return null;
  }
}

/**
 * @param {unknown} id
 * @param {unknown} [device]
 * @param {unknown} [time]
 * @returns {TracedId}
 */
function idOf(id, device, time) {
  return {
    event_id: typeof id === "string" ? id : "",
    ...(typeof device === "string" && device ? { device_id: device } : {}),
    ...(typeof time === "string" && time ? { event_timestamp: time } : {}),
  };
}

/**
 * Return the state of an event in words: a badge, and its meaning.
 * @param {TracedEvent} event
 * @returns {{ kind: "ok" | "warn" | "off", title: string, text: string }}
 */
export function describeState(event) {
  if (event.state === "stored") return { kind: "ok", title: "Stored", text: "It counts." };
  if (event.state !== "held") {
    return { kind: "off", title: "Unknown", text: "Never received, still queued, erased, or older than 7 days or the retention." };
  }
  const text =
    event.reason === "clock"
      ? "Its time is in the future, past the retention, or unreadable. It stays held until it is released."
      : "It was over the quota of events. The hourly run releases it once the quota has room.";
  return { kind: "warn", title: "Held", text };
}

/**
 * Return how old the queue is, in words.
 * @param {Trace["queue"]} queue
 * @param {(time: string) => string} formatTime
 */
export function describeQueue({ age_seconds: age, last_stored_at: last }, formatTime) {
  const stored = last ? `The last event was stored ${formatTime(last)}.` : "No event was stored in the last 7 days.";
  if (age === null) return `${stored} An event that was sent since then can still be queued.`;
  const time = age < SECONDS_PER_MINUTE ? `${formatNumber(Math.max(1, Math.ceil(age)))} s` : `${formatNumber(Math.ceil(age / SECONDS_PER_MINUTE))} min`;
  return `${stored} Of 100 events, 99 are stored within ${time} at present. A later one can still be queued.`;
}
