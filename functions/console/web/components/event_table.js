/** The dense table of events. A row opens its event. */

import { fill, h } from "../dom.js";
import { keepFocus } from "../focus.js";
import { identityOf } from "../tail.js";
import { openRows, rowAttributes } from "./open_rows.js";
import { relativeTime } from "./relative_time.js";
import { longText, table } from "./table.js";

/** @typedef {import("../types.d.ts").StoredEvent} StoredEvent */

/**
 * Return the table. Arrow keys go from row to row, and the key Tab leaves the rows.
 * @param {(id: string | null) => string} appName
 * @param {(event: StoredEvent) => void} onOpen
 */
export function eventTable(appName, onOpen) {
  const element = h("div", {});
  const { mark, markAgain, focusRow } = openRows(element);

  /** @param {StoredEvent[]} rows */
  function show(rows) {
    const made = table({
      caption: "Events",
      rows,
      isDense: true,
      attributesOf: (event) => rowAttributes(identityOf(event), () => onOpen(event)),
      columns: [
        { title: "Time", cell: opener },
        { title: "Name", cell: (event) => longText(event.event_name) },
        { title: "Type", cell: (event) => longText(event.event_type) },
        { title: "App", cell: (event) => longText(appName(event.app_id)) },
        { title: "Platform", cell: (event) => longText(event.platform) },
        { title: "Device", cell: (event) => h("code", {}, longText(event.device_id)) },
        { title: "Revenue", isNumber: true, cell: revenueOf },
      ],
    });
    keepFocus(element, () => fill(element, made));
    markAgain();
  }
  return { element, show, mark, focusRow };
}

/** @param {StoredEvent} event */
function opener(event) {
  const name = h("span", { class: "visually-hidden" }, `, ${event.event_name}`);
  const attributes = { type: "button", class: "opener", "aria-expanded": "false", tabindex: "-1", "data-focus": identityOf(event) };
  return h("button", attributes, relativeTime(event.event_timestamp), name);
}

/** @param {StoredEvent} event */
function revenueOf({ revenue, currency }) {
  return revenue === null || Number(revenue) === 0 ? "–" : [revenue, currency].filter(Boolean).join(" ");
}
