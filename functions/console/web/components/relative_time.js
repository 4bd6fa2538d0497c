/** Times as seen from now, which stay true while the page is open. */

import { h } from "../dom.js";
import { formatExact, formatRelative } from "../format.js";

const REFRESH_MS = 10_000;
const RELATIVE = "time[data-relative]";

/**
 * Return a time as "3 minutes ago". The pointer and the focus on its row or button show the moment itself.
 * @param {string} at
 */
export function relativeTime(at) {
  const relative = h("time", { class: "relative", datetime: at, "data-relative": true }, formatRelative(at));
  return h("span", { class: "when" }, relative, h("span", { class: "absolute", "aria-hidden": "true" }, formatExact(at)));
}

/**
 * Return a time whose exact moment is its tooltip.
 * @param {string} at
 * @param {string} text
 */
export function momentTime(at, text) {
  return h("time", { datetime: at, title: formatExact(at) }, text);
}

/**
 * Return a time as "3 minutes ago" whose exact moment is its tooltip.
 * @param {string} at
 */
export function relativeMoment(at) {
  const time = momentTime(at, formatRelative(at));
  time.setAttribute("data-relative", "");
  return time;
}

/**
 * Keep the relative times below *root* true until *signal*.
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 */
export function keepTimesTrue(root, signal) {
  const timer = setInterval(() => document.hidden || refresh(root), REFRESH_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
}

/** @param {HTMLElement} root */
function refresh(root) {
  for (const time of root.querySelectorAll(RELATIVE)) {
    const text = formatRelative(time.getAttribute("datetime") ?? "");
    if (time.textContent !== text) time.textContent = text;
  }
}
