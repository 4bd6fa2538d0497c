/** Short messages for eyes and screen readers. */

import { h } from "../dom.js";
import { icon } from "../icons.js";

const SHOWN_MS = 6_000;
const MOST_SHOWN = 2;
const polite = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
const silent = h("div", { class: "visually-hidden", "aria-live": "polite" });

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
  polite.append(message);
  if (polite.childElementCount > MOST_SHOWN) polite.firstElementChild?.remove();
  const open = [...document.querySelectorAll("dialog[open]")].at(-1);
  if (open && polite.parentElement !== open) open.append(polite); // a modal dialog hides all else
  setTimeout(() => message.remove(), SHOWN_MS);
}

/**
 * Announce a text that is visible elsewhere.
 * @param {string} text
 */
export function announce(text) {
  silent.textContent = text;
}

/** Take the messages back out of a dialog that closes. */
export function bringToastsHome() {
  silent.before(polite);
}
