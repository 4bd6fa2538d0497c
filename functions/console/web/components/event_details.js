/** An event with its JSON: beside the list, or in a dialog where there is no room. */

import { fill, h } from "../dom.js";
import { formatExact } from "../format.js";
import { button, copyButton, iconButton } from "./buttons.js";
import { openDialog } from "./dialog.js";

/** @typedef {import("../types.d.ts").StoredEvent} StoredEvent */
/** @typedef {import("./dialog.js").Dialog} Dialog */

const INDENT = 2;
const WIDE = "(min-width: 1100px)";

/**
 * Return the place beside the list.
 * @param {object} options
 * @param {() => void} options.onClose
 * @param {(filters: Record<string, string>) => void} options.onFilter
 */
export function eventDetails({ onClose, onFilter }) {
  const element = h("section", { class: "details card", "aria-label": "The event", hidden: true });
  let dialog = /** @type {Dialog | null} */ (null);

  /** @param {StoredEvent} event */
  function show(event) {
    if (matchMedia(WIDE).matches) {
      const head = h("div", { class: "card-head" }, h("h2", {}, event.event_name), iconButton("close", "Close the event", onClose));
      fill(element, head, ...contentOf(event));
      element.hidden = false;
      return;
    }
    const shown = openDialog({ title: event.event_name, content: [h("div", { class: "dialog-body" }, ...contentOf(event))], isWide: true });
    dialog = shown;
    void shown.closed.then(() => dialog === shown && onClose());
  }

  function hide() {
    const closing = dialog;
    dialog = null;
    closing?.close();
    fill(element);
    element.hidden = true;
  }

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
  return { element, show, hide };
}
