/** Short messages for eyes and screen readers. */

import { h } from "../dom.js";
import { icon } from "../icons.js";

const SHOWN_MS = 6_000;
const MOST_SHOWN = 2;
/** Screen readers read changes of regions that they know. So a region is moved and emptied some time before. */
const KNOWN_MS = 100;
const polite = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
const silent = h("div", { class: "visually-hidden", "aria-live": "polite" });
let home = /** @type {Element | null} */ (null);
let announcing = 0;

/** Return the live regions. The frame puts them into the page once. */
export function liveRegions() {
  return [polite, silent];
}

/**
 * Show and announce a message.
 * @param {string} text
 * @param {"ok" | "bad" | "info"} kind
 */
export function toast(text, kind = "ok") {
  const message = h("div", { class: `toast toast-${kind}` }, icon(kind === "ok" ? "check" : kind), h("span", {}, text));
  enterDialog();
  setTimeout(() => {
    enterDialog();
    polite.append(message);
    if (polite.childElementCount > MOST_SHOWN) polite.firstElementChild?.remove();
    setTimeout(() => message.remove(), SHOWN_MS);
  }, KNOWN_MS);
}

/**
 * Announce a text that is visible elsewhere. The same text is announced again.
 * @param {string} text
 */
export function announce(text) {
  enterDialog();
  silent.textContent = "";
  clearTimeout(announcing);
  announcing = window.setTimeout(() => {
    enterDialog();
    silent.textContent = text;
  }, KNOWN_MS);
}

/** Take the messages back out of a dialog that closes. */
export function bringToastsHome() {
  const left = polite.closest("dialog");
  if (left) (openDialogs().findLast((each) => each !== left) ?? home)?.append(polite, silent);
}

/** Move the live regions into the dialog that is open: a modal dialog hides all else, also from screen readers. */
function enterDialog() {
  const dialog = openDialogs().at(-1);
  if (!dialog || polite.parentElement === dialog) return;
  if (!polite.closest("dialog")) home = polite.parentElement;
  dialog.append(polite, silent);
}

/** @returns {Element[]} */
function openDialogs() {
  return [...document.querySelectorAll("dialog[open]")];
}
