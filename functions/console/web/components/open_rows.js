/** Rows of which one can be open: their mark, and the keys that go from row to row. */

import { fill, h } from "../dom.js";
import { keepFocus } from "../focus.js";
import { relativeTime } from "./relative_time.js";

const OPENER = ".opener";

/** Return a place for a table of such rows. Arrow keys go from row to row, and the key Tab leaves the rows. */
export function openRows() {
  const element = h("div", {});
  let openedId = /** @type {string | null} */ (null);
  let stop = /** @type {HTMLElement | null} */ (null);
  const openers = () => /** @type {HTMLElement[]} */ ([...element.querySelectorAll(OPENER)]);
  element.addEventListener("keydown", (event) => {
    const all = openers();
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined || !all[to]) return;
    event.preventDefault();
    all[to].focus();
  });
  element.addEventListener("focusin", ({ target }) => target instanceof HTMLElement && target.matches(OPENER) && stopAt(target));

  /**
   * Let the key Tab stop at one row alone.
   * @param {HTMLElement | null} opener
   */
  function stopAt(opener) {
    stop?.setAttribute("tabindex", "-1");
    opener?.setAttribute("tabindex", "0");
    stop = opener;
  }

  /**
   * Show a table in place of the former one.
   * @param {HTMLElement} made
   */
  function show(made) {
    const before = stop?.getAttribute("data-focus");
    keepFocus(element, () => fill(element, made));
    const all = openers();
    stopAt(all.find((each) => each.getAttribute("data-focus") === before) ?? all[0] ?? null);
    mark(openedId);
  }

  /**
   * Mark the row that is open. With *isFocused* the row that was open gets the focus.
   * @param {string | null} id
   * @param {boolean} [isFocused]
   */
  function mark(id, isFocused = false) {
    const before = element.querySelector(`.opened ${OPENER}`);
    if (isFocused && before instanceof HTMLElement) before.focus();
    openedId = id;
    for (const row of element.querySelectorAll("tr[data-id]")) {
      const isOpen = row.getAttribute("data-id") === id;
      row.classList.toggle("opened", isOpen);
      row.querySelector(OPENER)?.setAttribute("aria-expanded", String(isOpen));
    }
  }

  /**
   * Focus a row.
   * @param {number} index
   */
  function focusRow(index) {
    openers()[index]?.focus();
  }
  return { element, show, mark, focusRow };
}

/**
 * Return the attributes of a row that a press opens.
 * @param {string} id
 * @param {() => void} onOpen
 */
export function rowAttributes(id, onOpen) {
  return { class: "pressable", "data-id": id, on: { click: (/** @type {Event} */ press) => isPress(press) && onOpen() } };
}

/**
 * Return the button that opens a row, with its time.
 * @param {string} id
 * @param {string} at
 * @param {string} name of the row, for screen readers
 */
export function rowOpener(id, at, name) {
  const attributes = { type: "button", class: "opener", "aria-expanded": "false", tabindex: "-1", "data-focus": id };
  return h("button", attributes, relativeTime(at), h("span", { class: "visually-hidden" }, `, ${name}`));
}

/**
 * Tell whether a click opens the row. It does not if it ends the selection of a text.
 * @param {Event} press
 */
function isPress({ target }) {
  return (target instanceof Element && target.closest(OPENER) !== null) || String(getSelection()) === "";
}
