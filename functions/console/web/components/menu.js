/** A button that shows a list of actions. */

import { freshId, h } from "../dom.js";
import { icon } from "../icons.js";

/** @typedef {{ text: string, onClick?: () => void, href?: string, iconName?: string, isDanger?: boolean }} Action */

/**
 * Return the button with its menu. Escape and a press elsewhere close it, arrow keys go through it.
 * @param {object} options
 * @param {(Node | string)[]} options.content of the button
 * @param {string} [options.label] of a button without a text
 * @param {Action[]} options.actions
 * @param {string} [options.className]
 */
export function menu({ content, label, actions, className = "button button-quiet" }) {
  const id = freshId("menu");
  const attributes = { type: "button", class: className, "aria-expanded": "false", "aria-controls": id, "aria-label": label };
  const opener = h("button", { ...attributes, title: label, on: { click: () => toggle(!isOpen()) } }, ...content);
  const list = h("ul", { id, class: "menu-list", hidden: true, popover: "manual" }, ...actions.map((action) => h("li", {}, item(action))));
  const element = h("div", { class: "menu" }, opener, list);
  const isOpen = () => !list.hidden;
  const items = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll("a, button")]);

  /** @param {boolean} open */
  function toggle(open) {
    list.hidden = !open;
    opener.setAttribute("aria-expanded", String(open));
    if (open) {
      list.showPopover();
      place();
      items()[0]?.focus();
      document.addEventListener("pointerdown", onPress);
    } else {
      list.hidePopover();
      document.removeEventListener("pointerdown", onPress);
    }
  }

  /** Put the list below its button, within the window. */
  function place() {
    const at = opener.getBoundingClientRect();
    const { width, height } = list.getBoundingClientRect();
    const below = at.bottom + 4 + height <= innerHeight ? at.bottom + 4 : Math.max(4, at.top - 4 - height);
    list.style.setProperty("top", `${below}px`);
    list.style.setProperty("left", `${Math.max(8, Math.min(at.right - width, innerWidth - width - 8))}px`);
  }

  /** @param {Event} event */
  function onPress(event) {
    if (!(event.target instanceof Node && element.contains(event.target))) toggle(false);
  }

  /** @param {Action} action */
  function item({ text, onClick, href, iconName, isDanger }) {
    const inner = [iconName ? icon(iconName) : null, h("span", {}, text)];
    const kind = isDanger ? "menu-item menu-item-danger" : "menu-item";
    if (href) return h("a", { href, class: kind, on: { click: () => toggle(false) } }, ...inner);
    const run = () => {
      toggle(false);
      opener.focus();
      onClick?.();
    };
    return h("button", { type: "button", class: kind, on: { click: run } }, ...inner);
  }

  element.addEventListener("keydown", (event) => {
    if (!isOpen()) return;
    const all = items();
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (event.key === "Escape") {
      toggle(false);
      opener.focus();
    } else if (event.key === "ArrowDown") all[(at + 1) % all.length].focus();
    else if (event.key === "ArrowUp") all[(at - 1 + all.length) % all.length].focus();
    else if (event.key === "Tab") return toggle(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return element;
}
