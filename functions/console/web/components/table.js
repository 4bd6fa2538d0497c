/** Tables: a caption, columns, rows, and a filter above them. */

import { MOST_ROWS } from "../api.js";
import { h } from "../dom.js";
import { formatNumber } from "../format.js";
import { icon } from "../icons.js";

/** @typedef {import("../dom.js").Child} Child */
/**
 * @template Row
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: Row) => Child | Child[]} cell
 * @property {boolean} [isNumber]
 * @property {boolean} [isHidden] the title is for screen readers only
 */

/**
 * Return a table that scrolls within itself on a narrow screen.
 * @template Row
 * @param {object} options
 * @param {string} options.caption
 * @param {Column<Row>[]} options.columns the first one names the row
 * @param {Row[]} options.rows
 * @param {boolean} [options.isDense]
 * @param {(row: Row) => import("../dom.js").Attributes} [options.attributesOf] of the element of a row
 */
export function table({ caption, columns, rows, isDense = false, attributesOf = () => ({}) }) {
  const titles = columns.map(({ title, isNumber, isHidden }) =>
    h("th", { scope: "col", class: isNumber && "number" }, isHidden ? h("span", { class: "visually-hidden" }, title) : title),
  );
  const body = rows.map((row) =>
    h(
      "tr",
      attributesOf(row),
      ...columns.map(({ cell, isNumber }, index) =>
        h(index === 0 ? "th" : "td", { scope: index === 0 && "row", class: isNumber && "number" }, cell(row)),
      ),
    ),
  );
  const element = h(
    "table",
    { class: isDense && "dense" },
    h("caption", { class: "visually-hidden" }, caption),
    h("thead", {}, h("tr", {}, ...titles)),
    h("tbody", {}, ...body),
  );
  return h("div", { class: "table-scroll", role: "region", tabindex: "0", "aria-label": caption }, element);
}

/**
 * Return a text of any length for a cell. It wraps; in a dense table it is cut, and its tooltip has the whole.
 * @param {string} text
 */
export function longText(text) {
  return h("span", { class: "long", title: text }, text);
}

/**
 * Return the line under a list that is too long to be loaded as a whole.
 * @param {unknown[]} rows all that were loaded
 * @param {string} what in the plural
 */
export function cutNote(rows, what) {
  return rows.length < MOST_ROWS ? null : h("p", { class: "meta" }, `Only the newest ${formatNumber(rows.length)} ${what} are shown.`);
}

/**
 * Return a field that filters a list while its reader types. The key `/` focuses it.
 * @param {string} label
 * @param {string} value
 * @param {(value: string) => void} onFilter
 */
export function filterField(label, value, onFilter) {
  const input = h("input", { type: "search", placeholder: label, "aria-label": label, "data-filter": true, autocomplete: "off" });
  input.value = value;
  input.addEventListener("input", () => onFilter(input.value));
  return h("div", { class: "filter" }, icon("search"), input);
}

/**
 * Return buttons of which one is pressed.
 * @param {string} label
 * @param {[string, string][]} choices values with their texts
 * @param {string} chosen
 * @param {(value: string) => void} onChoose
 */
export function segments(label, choices, chosen, onChoose) {
  const buttons = choices.map(([value, text]) => {
    const choose = () => {
      for (const each of buttons) each.setAttribute("aria-pressed", String(each === pressed));
      onChoose(value);
    };
    const pressed = h("button", { type: "button", value, "aria-pressed": String(value === chosen), on: { click: choose } }, text);
    return pressed;
  });
  return h("div", { class: "segments", role: "group", "aria-label": label }, ...buttons);
}
