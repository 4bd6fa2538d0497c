/** Events: the live list with filters, each with its JSON, and "Where is my event?". */

import { appName } from "../app_names.js";
import { button } from "../components/buttons.js";
import { eventDetails } from "../components/event_details.js";
import { eventList } from "../components/event_list.js";
import { filterBar } from "../components/filter_bar.js";
import { keepTimesTrue } from "../components/relative_time.js";
import { toast } from "../components/toast.js";
import { traceDialog } from "../components/trace_dialog.js";
import { h } from "../dom.js";
import { EVENT_FILTERS, filterText, readFilters, writeFilters } from "../event_filters.js";
import { findEvent, loadApps } from "../event_source.js";
import { setQuery } from "../router.js";
import { identityOf } from "../tail.js";

/** @typedef {import("../types.d.ts").StoredEvent} StoredEvent */
/** @typedef {import("../types.d.ts").App} App */
/** @typedef {import("../event_filters.js").Chosen} Chosen */
/** @typedef {import("../trace.js").TracedId} TracedId */

const OFF = "off";
const NO_APP = "none";
const NO_APP_TEXT = "Without an app";
const LONGEST_LINK = 1_000;

/** @type {import("../types.d.ts").Page} */
export const page = {
  title: "Events",
  purpose: "The events of your apps, newest first. An event appears some seconds after it was sent.",
  async show({ root, actions, query, signal }) {
    const names = appNames(signal);
    const chosen = readFilters(query);
    let opened = /** @type {StoredEvent | null} */ (null);
    const filters = filterBar({
      filters: EVENT_FILTERS,
      chosen,
      choicesOf: (name) => (name === "app_id" ? names.choices() : null),
      textOf: (name, value) => filterText(name, value, names.textOf),
      onChange: choose,
    });
    const list = eventList({
      signal,
      chosen,
      isLive: query.get("live") !== OFF,
      prepare: async () => void ((await names.load()) && filters.update()),
      appName: (id) => (id === null ? "–" : names.textOf(id)),
      onSwitch: (isLive) => setQuery({ live: isLive ? null : OFF }),
      onOpen: toggle,
      onClear: () => choose({}),
    });
    const details = eventDetails({ onClose: close, onFilter: choose });
    const split = h("div", { class: "split", on: { keydown: onKey } }, list.element, details.element);
    actions.append(button("Where is my event?", { iconName: "search", onClick: () => trace("") }));
    root.append(h("div", { class: "stack-small" }, filters.element, list.line, split));
    keepTimesTrue(root, signal);
    const asked = query.get("trace");
    if (asked) trace(asked);
    await list.start();
    const wanted = query.get("event");
    if (wanted && !signal.aborted) await openStored({ event_id: wanted });

    /** @param {Chosen} next */
    function choose(next) {
      close();
      filters.set(next);
      setQuery(writeFilters(next));
      void list.choose(next);
    }

    /** @param {StoredEvent} event */
    function open(event) {
      details.hide();
      opened = event;
      setQuery({ event: event.event_id });
      list.mark(identityOf(event));
      split.classList.add("is-split");
      details.show(event);
    }

    /** @param {StoredEvent} event */
    function toggle(event) {
      if (opened && identityOf(opened) === identityOf(event)) close();
      else open(event);
    }

    /** Close the event. The focus goes back to its row. */
    function close() {
      if (!opened || signal.aborted) return;
      const hadFocus = split.contains(document.activeElement);
      opened = null;
      setQuery({ event: null });
      split.classList.remove("is-split");
      details.hide();
      list.mark(null, hadFocus);
    }

    /** @param {Event} event */
    function onKey(event) {
      if (event instanceof KeyboardEvent && event.key === "Escape") close();
    }

    /** @param {TracedId} id */
    async function openStored(id) {
      const found = list.find(id.event_id) ?? (await findEvent(id, signal).catch(() => null));
      if (signal.aborted) return;
      if (found) open(found);
      else toast(`The event ${id.event_id} is not among the stored ones.`, "info");
    }

    /** @param {string} text */
    function trace(text) {
      traceDialog({
        text,
        signal,
        onAsk: (ids) => setQuery({ trace: ids.length > LONGEST_LINK ? null : ids }),
        onOpen: ({ event_id, device_id, event_timestamp }) => void openStored({ event_id, ...(device_id && event_timestamp ? { device_id, event_timestamp } : {}) }),
        onClose: () => signal.aborted || setQuery({ trace: null }),
      });
    }
  },
};

/**
 * Return the names of apps, for a member that may read them.
 * @param {AbortSignal} signal
 */
function appNames(signal) {
  let apps = /** @type {App[] | null} */ (null);

  /** Load them once. Returns whether it did. */
  async function load() {
    if (apps) return false;
    apps = await loadApps(signal).catch(() => []);
    return true;
  }

  /** @param {string} id */
  function textOf(id) {
    if (id === NO_APP) return NO_APP_TEXT;
    return appName(apps ?? [], id);
  }

  /** @returns {[string, string][]} */
  function choices() {
    const named = (apps ?? []).map((app) => /** @type {[string, string]} */ ([app.id, app.name]));
    return [...named, [NO_APP, NO_APP_TEXT]];
  }
  return { load, textOf, choices };
}
