/** Modal dialogs. The browser keeps the focus inside, and gives it back. */

import { freshId, h } from "../dom.js";
import { iconButton } from "./buttons.js";
import { bringToastsHome } from "./toast.js";

/**
 * @typedef {object} Dialog
 * @property {HTMLDialogElement} element
 * @property {(result?: string) => void} close
 * @property {Promise<string>} closed its result: empty if it was dismissed
 */

/**
 * Open a dialog.
 * @param {object} options
 * @param {string} options.title
 * @param {Node[]} options.content
 * @param {() => boolean} [options.mayLeave] asked before the dialog is dismissed. Such a dialog outlives its page.
 * @param {boolean} [options.isPinned] the dialog cannot be dismissed
 * @param {boolean} [options.isWide]
 * @returns {Dialog}
 */
export function openDialog({ title, content, mayLeave, isPinned = false, isWide = false }) {
  const titleId = freshId("dialog");
  const dismiss = () => (mayLeave?.() ?? true) && close();
  const element = h(
    "dialog",
    { class: isWide ? "dialog dialog-wide" : "dialog", "aria-labelledby": titleId },
    h(
      "div",
      { class: "dialog-head" },
      h("h2", { id: titleId }, title),
      isPinned ? null : iconButton("close", "Close", dismiss),
    ),
    ...content,
  );
  element.addEventListener("cancel", (event) => {
    event.preventDefault();
    if (!isPinned) dismiss();
  });
  element.addEventListener("keydown", (event) => {
    // A second Escape would close the dialog without asking.
    if (event.key !== "Escape") return;
    event.preventDefault();
    if (!isPinned) dismiss();
  });
  /** @type {(result: string) => void} */
  let settle = () => {};
  const closed = /** @type {Promise<string>} */ (new Promise((resolve) => (settle = resolve)));
  /** @param {string} [result] */
  function close(result = "") {
    if (!element.open) return;
    bringToastsHome();
    element.close();
    element.remove();
    if (!before?.isConnected) document.querySelector("h1")?.focus(); // its page is gone
    settle(result);
  }
  if (!mayLeave) element.addEventListener("leave", () => close()); // another page is shown
  const before = document.activeElement;
  document.body.append(element);
  element.showModal();
  const first = element.querySelector("[autofocus], .dialog-body input, .dialog-body select, .dialog-body textarea, .dialog-body button");
  if (first instanceof HTMLElement) first.focus();
  return { element, close, closed };
}

/** Tell whether a dialog is open. */
export function hasOpenDialog() {
  return document.querySelector("dialog[open]") !== null;
}
