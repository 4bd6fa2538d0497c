/** The line above the live list: the switch, its state, and the button that shows waiting events. */

import { h } from "../dom.js";
import { formatExactClock } from "../format.js";
import { button } from "./buttons.js";
import { announce } from "./toast.js";

/**
 * @param {boolean} isLive at first
 * @param {(isLive: boolean) => void} onSwitch
 * @param {() => void} onShow the press on "12 new"
 */
export function liveLine(isLive, onSwitch, onShow) {
  const attributes = { type: "button", class: "button live", on: { click: () => set(toggle.getAttribute("aria-pressed") !== "true") } };
  const toggle = h("button", { ...attributes, "aria-pressed": String(isLive) }, h("span", { class: "pulse" }), "Live");
  const status = h("span", { class: "meta" });
  const waiting = button("", { look: "primary", onClick: onShow });
  const label = waiting.querySelector(".button-text");
  waiting.hidden = true;

  /** @param {boolean} live */
  function set(live) {
    toggle.setAttribute("aria-pressed", String(live));
    onSwitch(live);
  }

  /** @param {string} [trouble] why the last question failed */
  function tell(trouble) {
    const live = toggle.getAttribute("aria-pressed") === "true";
    status.textContent = trouble ?? (live ? `As of ${formatExactClock(new Date())}` : "Paused");
  }

  /** @param {string | null} text such as "12 new" */
  function wait(text) {
    if (text && waiting.hidden) announce(`${text} events`);
    waiting.hidden = text === null;
    if (label) label.textContent = text;
  }
  return { element: h("div", { class: "row live-line" }, toggle, waiting, status), tell, wait };
}
