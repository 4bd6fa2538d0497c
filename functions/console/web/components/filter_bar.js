/** Filters as chips, and the form that adds one. */

import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { button } from "./buttons.js";

/** @typedef {{ name: string, title: string, kind: string, hint: string }} Filter */
/** @typedef {Record<string, string>} Chosen */

/**
 * Return the bar. The key `/` focuses its value.
 * @param {object} options
 * @param {Filter[]} options.filters those of the kind "day" are days, those with choices are lists, the others texts
 * @param {Chosen} options.chosen at first
 * @param {(name: string) => [string, string][] | null} options.choicesOf values with their texts, or null
 * @param {(name: string, value: string) => string} options.textOf a chip
 * @param {(chosen: Chosen) => void} options.onChange
 */
export function filterBar({ filters, chosen, choicesOf, textOf, onChange }) {
  let present = chosen;
  const chips = h("ul", { class: "chips", "aria-label": "Filters" });
  const kind = h("select", { "aria-label": "Filter by" }, ...filters.map(({ name, title }) => h("option", { value: name }, title)));
  const place = h("div", { class: "filter-value" });
  const form = h("form", { class: "filter-bar", on: { submit: add } }, kind, place, button("Add filter", { type: "submit", iconName: "plus" }));
  kind.addEventListener("change", showInput);

  function showInput() {
    const filter = filters.find(({ name }) => name === kind.value) ?? filters[0];
    const choices = choicesOf(filter.name);
    const attributes = { "aria-label": `Value of the filter ${filter.title}`, "data-filter": true, name: "value" };
    const options = choices?.map(([value, text]) => h("option", { value }, text)) ?? [];
    const type = filter.kind === "day" ? "date" : "text";
    const more = { type, placeholder: filter.hint, autocomplete: "off", maxlength: 255, spellcheck: "false" };
    fill(place, choices ? h("select", attributes, ...options) : h("input", { ...attributes, ...more }));
  }

  /** @param {Event} event */
  function add(event) {
    event.preventDefault();
    const input = /** @type {HTMLInputElement | HTMLSelectElement} */ (place.firstElementChild);
    if (!input.value.trim()) return input.focus();
    change({ ...present, [kind.value]: input.value });
    if (input instanceof HTMLInputElement) input.value = "";
  }

  /** @param {Chosen} next */
  function change(next) {
    set(next);
    onChange(next);
  }

  /**
   * Show filters that were chosen elsewhere.
   * @param {Chosen} next
   */
  function set(next) {
    present = next;
    const rows = filters.filter(({ name }) => name in next).map(({ name }) => h("li", {}, chip(name, next[name])));
    chips.hidden = rows.length === 0;
    fill(chips, rows);
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  function chip(name, value) {
    const remove = () => {
      change(Object.fromEntries(Object.entries(present).filter(([each]) => each !== name)));
      const next = chips.querySelector("button") ?? kind;
      next.focus();
    };
    const text = textOf(name, value);
    return h("button", { type: "button", class: "chip", title: "Remove the filter", on: { click: remove } }, h("span", { class: "visually-hidden" }, "Remove the filter "), h("span", { class: "chip-text" }, text), icon("close"));
  }

  /** Show choices and chips anew, when their texts have come. */
  function update() {
    if (choicesOf(kind.value)) showInput();
    set(present);
  }
  showInput();
  set(chosen);
  return { element: h("div", { class: "stack-small" }, form, chips), set, update };
}
