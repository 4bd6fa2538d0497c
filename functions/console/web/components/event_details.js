/** An event with its JSON: beside the list, or in a dialog where there is no room. */

import { h } from "../dom.js";
import { formatExact } from "../format.js";
import { button, copyButton } from "./buttons.js";
import { detailsPanel } from "./details_panel.js";

/** @typedef {import("../types.d.ts").StoredEvent} StoredEvent */

const INDENT = 2;

/**
 * Return the place beside the list.
 * @param {object} options
 * @param {() => void} options.onClose
 * @param {(filters: Record<string, string>) => void} options.onFilter
 */
export function eventDetails({ onClose, onFilter }) {
  const { element, show, hide } = detailsPanel("event", onClose);

  /** @param {StoredEvent} event */
  function contentOf(event) {
    const json = JSON.stringify(event, null, INDENT);
    const same = [
      button("Same name", { onClick: () => onFilter({ event_name: event.event_name }) }),
      button("Same device", { onClick: () => onFilter({ device_id: event.device_id }) }),
    ];
    return [
      h("p", { class: "meta" }, `Happened ${formatExact(event.event_timestamp)}, received ${formatExact(event.received_at)}.`),
      h("div", { class: "row" }, copyButton(json, "Copy the JSON"), ...same),
      h("pre", { class: "code", tabindex: "0", "aria-label": "JSON of the event" }, json),
    ];
  }
  return { element, hide, show: (/** @type {StoredEvent} */ event) => show(event.event_name, ...contentOf(event)) };
}
