/** The dense table of events. A row opens its event. */

import { h } from "../dom.js";
import { formatMoney } from "../format.js";
import { identityOf } from "../tail.js";
import { openRows, rowAttributes, rowOpener } from "./open_rows.js";
import { longText, table } from "./table.js";

/** @typedef {import("../types.d.ts").StoredEvent} StoredEvent */

/**
 * Return the table. Arrow keys go from row to row, and the key Tab leaves the rows.
 * @param {(id: string | null) => string} appName
 * @param {(event: StoredEvent) => void} onOpen
 */
export function eventTable(appName, onOpen) {
  const shown = openRows();

  /** @param {StoredEvent[]} rows */
  function show(rows) {
    const made = table({
      caption: "Events",
      rows,
      isDense: true,
      attributesOf: (event) => rowAttributes(identityOf(event), () => onOpen(event)),
      columns: [
        { title: "Time", cell: (event) => rowOpener(identityOf(event), event.event_timestamp, event.event_name) },
        { title: "Name", cell: (event) => longText(event.event_name) },
        { title: "Type", cell: (event) => longText(event.event_type) },
        { title: "App", cell: (event) => longText(appName(event.app_id)) },
        { title: "Platform", cell: (event) => longText(event.platform) },
        { title: "Device", cell: (event) => h("code", {}, longText(event.device_id)) },
        { title: "Revenue", isNumber: true, cell: revenueOf },
      ],
    });
    shown.show(made);
  }
  return { ...shown, show };
}

/** @param {StoredEvent} event */
function revenueOf({ revenue, currency }) {
  return revenue === null || Number(revenue) === 0 ? "–" : formatMoney(revenue, currency);
}
