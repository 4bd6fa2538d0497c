/** The details of a row: beside its list, or in a dialog where there is no room. */

import { fill, h } from "../dom.js";
import { iconButton } from "./buttons.js";
import { openDialog } from "./dialog.js";

/** @typedef {import("./dialog.js").Dialog} Dialog */

const WIDE = "(min-width: 1100px)";

/**
 * Return the place beside the list.
 * @param {string} label what a row is: "event"
 * @param {() => void} onClose
 */
export function detailsPanel(label, onClose) {
  const element = h("section", { class: "details card", "aria-label": `The ${label}`, hidden: true });
  let dialog = /** @type {Dialog | null} */ (null);

  /**
   * @param {string} title
   * @param {...Node} content
   */
  function show(title, ...content) {
    if (matchMedia(WIDE).matches) {
      fill(element, h("div", { class: "card-head" }, h("h2", {}, title), iconButton("close", `Close the ${label}`, onClose)), ...content);
      element.hidden = false;
      return;
    }
    const shown = openDialog({ title, content: [h("div", { class: "dialog-body" }, ...content)], isWide: true });
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
  return { element, show, hide };
}
