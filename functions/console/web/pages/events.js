/** Events: the live list with filters, each with its JSON, and "Where is my event?". */

import { ApiError, OfflineError, SignedOutError } from "../api.js";
import { button, whileBusy } from "../components/buttons.js";
import { eventDetails } from "../components/event_details.js";
import { eventTable } from "../components/event_table.js";
import { filterBar } from "../components/filter_bar.js";
import { liveLine } from "../components/live_line.js";
import { keepTimesTrue } from "../components/relative_time.js";
import { emptyState, loadInto, skeleton } from "../components/states.js";
import { announce, toast } from "../components/toast.js";
import { traceDialog } from "../components/trace_dialog.js";
import { fill, h } from "../dom.js";
import { EVENT_FILTERS, filterText, readFilters, writeFilters } from "../event_filters.js";
import { findEvent, firstOf, listEvents, loadApps } from "../event_source.js";
import { poll } from "../poll.js";
import { goTo, setQuery } from "../router.js";
import { appendOlder, identityOf, mergePoll, showWaiting, startTail, waitingText } from "../tail.js";

/** @typedef {import("../types.d.ts").StoredEvent} StoredEvent */
/** @typedef {import("../types.d.ts").App} App */

const OFF = "off";
const LONGEST_LINK = 1_000;

/** @type {import("../types.d.ts").Page} */
export const page = {
  title: "Events",
  purpose: "What your apps have sent, newest first. An event is here some seconds after it was sent.",
  async show(view) {
    const { signal, query } = view;
    let tail = startTail({ data: [], pagination: { next_cursor: null, has_more: false } });
    let chosen = readFilters(query);
    let apps = /** @type {App[] | null} */ (null);
    let opened = /** @type {StoredEvent | null} */ (null);
    let pollEnd = new AbortController();
    let askedAt = 0;

    const appName = (/** @type {string | null} */ id) => {
      if (id === null || id === "none") return id === null ? "–" : "Without an app";
      return (apps ?? []).find((app) => app.id === id)?.name ?? (apps?.length ? "A deleted app" : "…");
    };
    const choicesOf = (/** @type {string} */ name) => {
      if (name !== "app_id") return null;
      const named = (apps ?? []).map((app) => /** @type {[string, string]} */ ([app.id, app.name]));
      return /** @type {[string, string][]} */ ([...named, ["none", "Without an app"]]);
    };
    const filters = filterBar({
      filters: EVENT_FILTERS,
      chosen,
      choicesOf,
      textOf: (name, value) => filterText(name, value, appName),
      onChange: choose,
    });
    const line = liveLine(query.get("live") !== OFF, switchLive, showNew);
    const list = eventTable(appName, open);
    const older = button("Show older events", { onClick: () => void whileBusy(older, showOlder) });
    const body = h("div", { class: "stack-small" });
    const place = h("div", {});
    const details = eventDetails({ onClose: () => open(null), onFilter: choose });
    const split = h("div", { class: "split" }, place, details.element);
    const reload = loadInto({ place, subject: "the events", loading: skeleton("rows", 8), signal, load, show: showFirst });
    const trace = () =>
      traceDialog({
        text: query.get("trace") ?? "",
        signal,
        onAsk: (text) => setQuery({ trace: text.length > LONGEST_LINK ? null : text }),
        onOpen: (event) => void openStored({ event_id: event.event_id, device_id: event.device_id ?? "", event_timestamp: event.event_timestamp ?? "" }),
        onClose: () => setQuery({ trace: null }),
      });
    view.actions.append(button("Where is my event?", { iconName: "search", onClick: trace }));
    view.root.append(h("div", { class: "stack-small" }, filters.element, line.element, split));
    keepTimesTrue(view.root, signal);
    signal.addEventListener("abort", () => pollEnd.abort());
    if (query.get("trace")) trace();
    await reload();
    switchLive(query.get("live") !== OFF);
    const wanted = query.get("event");
    if (wanted && !signal.aborted) await openNamed(wanted);

    async function load() {
      askedAt = Date.now();
      if (!apps) {
        apps = await loadApps(signal).catch(() => []);
        filters.update();
        filters.set(chosen);
      }
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
      if (tail.rows.length > 0) {
        list.show(tail.rows);
        return fill(body, list.element, h("div", {}, older));
      }
      const isFiltered = Object.keys(chosen).length > 0;
      const none = tail.cursor ? "No newer event fits the filters. Older ones may." : "Change or remove the filters above.";
      const clear = button("Remove the filters", { onClick: () => choose({}) });
      const start = button("See how to send events", { look: "primary", onClick: () => goTo("usage") });
      const empty = isFiltered ? emptyState("No event fits", none, clear) : emptyState("No events yet", "An app sends events with a write key. They appear here by themselves.", start);
      fill(body, empty, h("div", {}, older));
    }

    async function ask() {
      askedAt = Date.now();
      const asked = chosen;
      try {
        const first = await firstOf(asked, null, signal);
        if (asked !== chosen || signal.aborted) return;
        const next = mergePoll(tail, first);
        line.tell();
        if (next === tail) return;
        tail = tail.rows.length === 0 ? startTail(first) : next;
        if (tail === next) line.wait(waitingText(tail));
        else showTail();
      } catch (error) {
        if (error instanceof ApiError || error instanceof OfflineError) line.tell(error.message);
        else if (!(error instanceof SignedOutError) && !signal.aborted) throw error;
      }
    }

    /** @param {boolean} isLive */
    function switchLive(isLive) {
      pollEnd.abort();
      pollEnd = new AbortController();
      setQuery({ live: isLive ? null : OFF });
      line.tell();
      if (isLive && !signal.aborted) poll(ask, pollEnd.signal, askedAt);
    }

    function showNew() {
      if (tail.hasGap) return void reload().then(() => list.focusRow(0));
      const count = tail.waiting.length;
      tail = showWaiting(tail);
      showTail();
      list.focusRow(0);
      announce(`${count} events more`);
    }

    async function showOlder() {
      const from = tail.rows.length;
      try {
        tail = appendOlder(tail, await listEvents(chosen, tail.cursor, signal));
        showTail();
        if (tail.rows.length > from) list.focusRow(from);
      } catch (error) {
        if (!signal.aborted) toast(error instanceof Error ? error.message : "The events were not loaded.", "bad");
      }
    }

    /** @param {Record<string, string>} next */
    function choose(next) {
      chosen = next;
      filters.set(next);
      setQuery(writeFilters(next));
      open(null);
      void reload().then(() => announce(`${tail.rows.length} events`));
    }

    /** @param {StoredEvent | null} event */
    function open(event) {
      opened = event;
      setQuery({ event: event?.event_id ?? null });
      list.mark(event && identityOf(event));
      details.hide();
      split.classList.toggle("is-split", event !== null);
      if (event) details.show(event);
    }

    /** @param {string} id */
    async function openNamed(id) {
      const listed = tail.rows.find((event) => event.event_id === id);
      if (listed) open(listed);
      else await openStored({ event_id: id });
    }

    /** @param {import("../trace.js").TracedId} id */
    async function openStored(id) {
      const found = await findEvent(id, signal).catch(() => null);
      if (signal.aborted) return;
      if (found) open(found);
      else toast(`The event ${id.event_id} is not among the stored ones.`, "info");
    }
  },
};
