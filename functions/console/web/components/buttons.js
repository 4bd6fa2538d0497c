/** Buttons, links that look like buttons, and the button that copies. */

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { announce } from "./toast.js";

const COPIED_MS = 2_000;

/** @typedef {"primary" | "plain" | "danger" | "quiet"} Look */

/**
 * @param {string} text
 * @param {{ onClick?: (event: Event) => void, look?: Look, type?: string, iconName?: string, label?: string }} [options]
 */
export function button(text, { onClick, look = "plain", type = "button", iconName, label } = {}) {
  return h(
    "button",
    { type, class: `button button-${look}`, "aria-label": label, on: onClick ? { click: onClick } : undefined },
    iconName && icon(iconName),
    h("span", { class: "button-text" }, text),
  );
}

/**
 * Return a button with an icon alone. *label* is its name, and its tooltip.
 * @param {string} iconName
 * @param {string} label
 * @param {(event: Event) => void} onClick
 */
export function iconButton(iconName, label, onClick) {
  const attributes = { type: "button", class: "button button-quiet button-icon", "aria-label": label, title: label };
  return h("button", { ...attributes, on: { click: onClick } }, icon(iconName));
}

/**
 * Return a button that copies a text and says so.
 * @param {string | (() => string)} text
 * @param {string} [label]
 */
export function copyButton(text, label = "Copy") {
  const copy = button(label, { look: "plain", iconName: "copy", onClick: () => void run() });
  async function run() {
    const shown = copy.querySelector(".button-text");
    const outcome = await write(typeof text === "string" ? text : text());
    if (shown) shown.textContent = outcome;
    announce(outcome);
    setTimeout(() => shown && (shown.textContent = label), COPIED_MS);
  }
  return copy;
}

/**
 * Run *work* while the button shows that it is at work. A second press does nothing.
 * @param {HTMLButtonElement} pressed
 * @param {() => Promise<void>} work
 */
export async function whileBusy(pressed, work) {
  if (pressed.getAttribute("aria-busy") === "true") return;
  pressed.setAttribute("aria-busy", "true");
  try {
    await work();
  } finally {
    pressed.removeAttribute("aria-busy");
  }
}

/** @param {string} text */
async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied";
  } catch {
    return "Not copied: select the text";
  }
}
