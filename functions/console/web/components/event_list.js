/** The live list of events: the newest ones, those that wait behind "12 new", and older ones. */

import { ApiError, OfflineError } from "../api.js";
import { fill, h } from "../dom.js";
import { firstOf, listEvents } from "../event_source.js";
import { keepFocus } from "../focus.js";
import { formatNumber } from "../format.js";
import { poll } from "../poll.js";
import { goTo } from "../router.js";
import { appendOlder, EMPTY_TAIL, hasRoom, mergePoll, showWaiting, startTail, waitingText } from "../tail.js";
import { button, whileBusy } from "./buttons.js";
import { eventTable } from "./event_table.js";
import { liveLine } from "./live_line.js";
import { emptyState, loadInto, skeleton } from "./states.js";
import { announce, toast } from "./toast.js";

/** @typedef {import("../types.d.ts").StoredEvent} StoredEvent */
/** @typedef {import("../event_filters.js").Chosen} Chosen */

/**
 * @param {object} options
 * @param {AbortSignal} options.signal
 * @param {Chosen} options.chosen filters at first
 * @param {boolean} options.isLive at first
 * @param {() => Promise<void>} options.prepare runs before the first events are loaded
 * @param {(id: string | null) => string} options.appName
 * @param {(isLive: boolean) => void} options.onSwitch
 * @param {(event: StoredEvent) => void} options.onOpen
 * @param {() => void} options.onClear the press on "Remove the filters"
 */
export function eventList({ signal, chosen, isLive, prepare, appName, onSwitch, onOpen, onClear }) {
  let tail = EMPTY_TAIL;
  let askedAt = 0;
  let polled = new AbortController();
  const rows = eventTable(appName, onOpen);
  const line = liveLine(isLive, switchLive, showNew);
  const older = button("Show older events", { onClick: () => void whileBusy(older, showOlder) });
  const body = h("div", { class: "stack-small" });
  const place = h("div", {});
  const reload = loadInto({ place, subject: "the events", loading: skeleton("dense", 12), signal, load, show: showFirst });
  signal.addEventListener("abort", () => polled.abort());

  async function load() {
    await prepare();
    askedAt = Date.now();
    return listEvents(chosen, null, signal);
  }

  /** @param {import("../tail.js").EventPage} first */
  function showFirst(first) {
    tail = startTail(first);
    showTail();
    line.tell();
    return body;
  }

  function showTail() {
    older.hidden = tail.cursor === null;
    line.wait(tail.waiting.length > 0 ? waitingText(tail) : null);
    if (tail.rows.length > 0) rows.show(tail.rows);
    keepFocus(body, () => fill(body, tail.rows.length > 0 ? rows.element : showNone(), h("div", { class: "older" }, older)));
  }

  function showNone() {
    if (Object.keys(chosen).length > 0) {
      const text = tail.cursor ? "None of the newest events fits the filters. Older ones may." : "Change or remove the filters above.";
      return emptyState("No event fits", text, button("Remove the filters", { onClick: onClear }));
    }
    const start = button("See how to send events", { look: "primary", onClick: () => goTo("usage") });
    return emptyState("No events yet", "An app sends events with a write key. They appear here by themselves.", start);
  }

  /** Ask for the newest events. They wait, unless nothing is shown that could move. */
  async function ask() {
    const asked = chosen;
    try {
      const first = await firstOf(asked, null, signal);
      if (asked !== chosen || signal.aborted) return;
      const next = tail.rows.length > 0 ? mergePoll(tail, first) : startTail(first);
      line.tell();
      if (next.rows !== tail.rows && next.rows.length > 0) {
        tail = next;
        showTail();
      } else if (next.waiting !== tail.waiting) {
        tail = next;
        line.wait(waitingText(tail));
      }
    } catch (error) {
      if (error instanceof ApiError || error instanceof OfflineError) line.tell(error.message);
      throw error;
    }
  }

  /** @param {boolean} live */
  function switchLive(live) {
    polled.abort();
    polled = new AbortController();
    onSwitch(live);
    line.tell();
    if (live && !signal.aborted) poll(ask, polled.signal, askedAt);
  }

  async function showNew() {
    const text = waitingText(tail);
    if (hasRoom(tail)) {
      tail = showWaiting(tail);
      showTail();
    } else await reload();
    rows.focusRow(0);
    announce(`${text} events are shown`);
  }

  async function showOlder() {
    const from = tail.rows.length;
    try {
      tail = appendOlder(tail, await listEvents(chosen, tail.cursor, signal));
      showTail();
      rows.focusRow(Math.min(from, tail.rows.length - 1));
    } catch (error) {
      if (!signal.aborted) toast(error instanceof Error ? error.message : "The events were not loaded.", "bad");
    }
  }

  async function start() {
    await reload();
    if (!signal.aborted) switchLive(isLive);
  }

  /** @param {Chosen} next */
  async function choose(next) {
    chosen = next;
    await reload();
    announce(`Events shown: ${formatNumber(tail.rows.length)}`);
  }

  /** @param {string} id */
  function find(id) {
    return tail.rows.find((event) => event.event_id === id) ?? null;
  }
  return { element: place, line: line.element, start, choose, find, mark: rows.mark };
}
