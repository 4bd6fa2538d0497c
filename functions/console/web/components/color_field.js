/** A field for a colour: its text, a picker, and the contrast beside it. */

import { cleanColor } from "../brand_values.js";
import { checkContrast } from "../contrast.js";
import { fill, h } from "../dom.js";
import { formatRatio } from "../format.js";
import { textField } from "./fields.js";
import { badge } from "./states.js";

/**
 * @param {object} options
 * @param {string} options.name
 * @param {string} options.label
 * @param {string} [options.hint]
 * @param {string | null} options.value
 * @param {string} options.fallback the colour without one
 * @param {boolean} [options.isChecked] the contrast is shown
 */
export function colorField({ name, label, hint, value, fallback, isChecked = false }) {
  const field = textField({ name, label, hint, value: value ?? "", more: { placeholder: fallback, maxlength: 7 } });
  const picker = h("input", { type: "color", class: "picker", "aria-label": `${label}, picker` });
  const checks = h("ul", { class: "checks", "aria-label": `Contrast of ${label.toLowerCase()}` });
  const line = h("div", { class: "color-line" });
  field.input.replaceWith(line);
  line.append(picker, field.input);
  if (isChecked) field.element.append(checks);
  const text = /** @type {HTMLInputElement} */ (field.input);

  function show() {
    const color = cleanColor(field.value().trim()) ?? fallback;
    picker.value = color;
    if (isChecked) fill(checks, checkContrast(color).map(checkItem));
  }
  picker.addEventListener("input", () => {
    text.value = picker.value;
    text.dispatchEvent(new Event("input", { bubbles: true }));
  });
  text.addEventListener("input", show);
  show();
  return field;
}

/** @param {import("../contrast.js").Check} check */
function checkItem({ subject, ratio, kind, text }) {
  return h("li", {}, badge(kind, formatRatio(ratio)), h("span", {}, `${subject}: ${text}`));
}
