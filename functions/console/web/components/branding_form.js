/** The fields of a branding. */

import { cleanColor, VARIABLES } from "../brand_values.js";
import { REMOVED, SENDER_STATES, variableField } from "../branding_changes.js";
import { fill, h } from "../dom.js";
import { button } from "./buttons.js";
import { colorField } from "./color_field.js";
import { textField } from "./fields.js";
import { badge } from "./states.js";

/** @typedef {import("../administration.d.ts").StoredBranding} StoredBranding */
/** @typedef {import("./fields.js").Field} Field */

/** The colours of the platform, which stand in for those that are not set. */
const COLORS = /** @type {const} */ ([
  { name: "primary_color", label: "Primary color", fallback: "#1e3a8a", hint: "Buttons and marks of this console." },
  { name: "secondary_color", label: "Secondary color", fallback: "#475569", hint: "For your own pages, which read the branding." },
  { name: "accent_color", label: "Accent color", fallback: "#1d4ed8", hint: "The edge of mails, and your own pages." },
]);
const HINTS = { fonts: "Names with commas, such as Inter, sans-serif.", length: "Up to 64px or 4rem.", color: "#RRGGBB" };
const VARIABLE_COLOR = "#ffffff";

/**
 * Return the fields in groups.
 * @param {StoredBranding} stored
 * @param {(kind: "logo" | "favicon") => string | null} addressOf the address of a stored image
 */
export function brandingFields(stored, addressOf) {
  const colors = COLORS.map((each) => colorField({ ...each, value: stored[each.name], isChecked: true }));
  const images = [
    imageField("logo_url", "Logo", addressOf("logo"), "PNG, JPEG or WebP, at most 100 KiB."),
    imageField("favicon_url", "Favicon", addressOf("favicon"), "A square image."),
  ];
  const variables = VARIABLES.map(({ name, title, kind }) => {
    const options = { name: variableField(name), label: title, value: stored.css_variables[name] ?? "" };
    if (kind === "color") return colorField({ ...options, fallback: cleanColor(options.value) ?? VARIABLE_COLOR });
    return textField({ ...options, hint: HINTS[kind] });
  });
  const sender = [
    textField({ name: "sender_name", label: "Name of the sender", value: stored.sender_name ?? "", more: { maxlength: 64 } }),
    textField({ name: "sender_address", label: "Address of the sender", type: "email", value: stored.sender_address ?? "" }),
  ];
  const state = SENDER_STATES[stored.sender_state];
  const groups = [
    group("Colors", colors),
    group("Images", images, h("p", { class: "hint" }, "The platform fetches an image once, and serves a copy from its own host.")),
    group("Sender of mails", sender, h("p", { role: "status" }, badge(state.kind, state.text))),
    h(
      "details",
      { class: "group", open: Object.keys(stored.css_variables).length > 0 },
      h("summary", {}, "Fonts, sizes and surfaces"),
      h("p", { class: "hint" }, "CSS variables for your own pages. This console uses the fonts and the corners."),
      h("div", { class: "pair" }, ...variables.map((field) => field.element)),
    ),
  ];
  return { fields: [...colors, ...images, ...sender, ...variables], groups };
}

/**
 * @param {string} title
 * @param {Field[]} fields
 * @param {Node | null} [more]
 */
function group(title, fields, more = null) {
  return h("fieldset", { class: "group" }, h("legend", {}, title), ...fields.map((field) => field.element), more);
}

/**
 * Return a field for the address of an image, with the stored one and the button that removes it.
 * @param {string} name
 * @param {string} label
 * @param {string | null} address of the stored image
 * @param {string} hint
 */
function imageField(name, label, address, hint) {
  const field = textField({ name, label, hint, type: "url", more: { placeholder: "https://…", inputmode: "url" } });
  const value = field.value;
  let isRemoved = false;
  if (address) {
    const place = h("div", { class: "row stored-image" }, h("img", { class: "logo", src: address, alt: `Stored ${label.toLowerCase()}` }));
    const remove = button("Remove", { look: "quiet", label: `Remove the ${label.toLowerCase()}` });
    remove.addEventListener("click", () => {
      isRemoved = true;
      fill(place, h("span", { class: "muted" }, "It is removed when you save."));
      field.input.focus();
      field.input.dispatchEvent(new Event("input", { bubbles: true }));
    });
    place.append(remove);
    field.input.before(place);
  }
  return { ...field, value: () => value() || (isRemoved ? REMOVED : "") };
}
