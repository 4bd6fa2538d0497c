/** The dense table of events. A row opens its event. */

import { fill, h } from "../dom.js";
import { keepFocus } from "../focus.js";
import { identityOf } from "../tail.js";
import { relativeTime } from "./relative_time.js";
import { longText, table } from "./table.js";

/** @typedef {import("../types.d.ts").StoredEvent} StoredEvent */

const OPENER = ".opener";

/**
 * Return the table. Arrow keys go from row to row, and the key Tab leaves the rows.
 * @param {(id: string | null) => string} appName
 * @param {(event: StoredEvent) => void} onOpen
 */
export function eventTable(appName, onOpen) {
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

  /** @param {StoredEvent[]} rows */
  function show(rows) {
    const made = table({
      caption: "Events",
      rows,
      isDense: true,
      attributesOf: (event) => ({ class: "pressable", "data-id": identityOf(event), on: { click: (/** @type {Event} */ press) => isPress(press) && onOpen(event) } }),
      columns: [
        { title: "Time", cell: opener },
        { title: "Name", cell: (event) => longText(event.event_name) },
        { title: "Type", cell: (event) => longText(event.event_type) },
        { title: "App", cell: (event) => longText(appName(event.app_id)) },
        { title: "Platform", cell: (event) => longText(event.platform) },
        { title: "Device", cell: (event) => h("code", {}, longText(event.device_id)) },
        { title: "Revenue", isNumber: true, cell: revenueOf },
      ],
    });
    const before = stop?.getAttribute("data-focus");
    keepFocus(element, () => fill(element, made));
    const all = openers();
    stopAt(all.find((each) => each.getAttribute("data-focus") === before) ?? all[0] ?? null);
    mark(openedId);
  }

  /**
   * Mark the row of the event that is open. With *isFocused* the row that was open gets the focus.
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
 * Tell whether a click opens the row. It does not if it ends the selection of a text.
 * @param {Event} press
 */
function isPress({ target }) {
  return (target instanceof Element && target.closest(OPENER) !== null) || String(getSelection()) === "";
}

/** @param {StoredEvent} event */
function opener(event) {
  const name = h("span", { class: "visually-hidden" }, `, ${event.event_name}`);
  const attributes = { type: "button", class: "opener", "aria-expanded": "false", tabindex: "-1", "data-focus": identityOf(event) };
  return h("button", attributes, relativeTime(event.event_timestamp), name);
}

/** @param {StoredEvent} event */
function revenueOf({ revenue, currency }) {
  return revenue === null || Number(revenue) === 0 ? "–" : [revenue, currency].filter(Boolean).join(" ");
}
