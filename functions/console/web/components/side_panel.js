/** A list with the details of one row beside it. Below it on a narrow screen. */

import { fill, h } from "../dom.js";
import { iconButton } from "./buttons.js";

/**
 * Return the frame, and how to show and close the details. Escape closes them, and the focus goes back.
 * @param {Node} list
 * @param {() => void} onClose
 */
export function sidePanel(list, onClose) {
  const panel = h("aside", { class: "side-panel", hidden: true, tabindex: "-1" });
  const element = h("div", { class: "beside" }, h("div", { class: "beside-list" }, list), panel);
  let opener = /** @type {Element | null} */ (null);

  function close() {
    if (panel.hidden) return;
    panel.hidden = true;
    fill(panel);
    onClose();
    if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
  }
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });

  /**
   * @param {string} title
   * @param {...Node} content
   */
  function show(title, ...content) {
    if (!panel.contains(document.activeElement)) opener = document.activeElement;
    panel.hidden = false;
    panel.setAttribute("aria-label", title);
    fill(panel, h("div", { class: "card-head" }, h("h2", {}, title), iconButton("close", "Close the details", close)), ...content);
    panel.focus();
  }
  return { element, show, close };
}
