/** The logo of a brand, or the initials of the organization. */

import { fill, h } from "./dom.js";
import { initialsOf } from "./initials.js";

/** @typedef {import("./administration.d.ts").Brand} Brand */

const PLACE = "data-emblem";

/**
 * Return a place for the logo, which follows changes of the brand.
 * @param {Brand} brand
 * @param {string} name
 */
export function emblem(brand, name) {
  return h("span", { class: "emblem-place", [PLACE]: name }, logoOf(brand, name));
}

/**
 * Show a brand in all places of the page.
 * @param {Brand} brand
 */
export function showEmblems(brand) {
  for (const place of document.querySelectorAll(`[${PLACE}]`)) fill(place, logoOf(brand, place.getAttribute(PLACE) ?? ""));
}

/**
 * Return the logo, or the initials if there is none or it cannot be loaded.
 * @param {Brand} brand
 * @param {string} name
 */
export function logoOf(brand, name) {
  const plain = h("span", { class: "emblem", "aria-hidden": "true" }, initialsOf(name));
  if (!brand.logo_url) return plain;
  const logo = h("img", { class: "logo", src: brand.logo_url, alt: "" });
  logo.addEventListener("error", () => logo.replaceWith(plain));
  return logo;
}
