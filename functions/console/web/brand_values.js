/** The values of a brand that a page may use. All others are dropped. Pure functions. */

import { parseColor } from "./colors.js";

/** @typedef {import("./administration.d.ts").Brand} Brand */

const IMAGE = /\/branding\/images\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/([0-9a-f]{64})$/;
const LENGTH = /^(?:0|([0-9]{1,3}(?:\.[0-9]{1,2})?)(px|rem))$/;
const LONGEST = /** @type {Record<string, number>} */ ({ px: 64, rem: 4 });
const FONTS = /^[A-Za-z][A-Za-z0-9 -]*(?:, ?[A-Za-z][A-Za-z0-9 -]*){0,4}$/;
const FONTS_LENGTH = 100;
export const COLOR_NAMES = /** @type {const} */ (["primary_color", "secondary_color", "accent_color"]);

/** @type {Brand} */
export const NO_BRAND = {
  logo_url: null,
  favicon_url: null,
  primary_color: null,
  secondary_color: null,
  accent_color: null,
  css_variables: {},
};

/**
 * Return the brand in an answer of the API, without each value that is not of its form. Images are those of *api* alone:
 * the host in their URL may be another name of it.
 * @param {any} answer
 * @param {string} api the URL of the API, with a slash at its end
 * @returns {Brand}
 */
export function cleanBrand(answer, api) {
  const given = answer ?? {};
  const [primary, secondary, accent] = COLOR_NAMES.map((name) => cleanColor(given[name]));
  return {
    logo_url: imageAddress(given.logo_url, api),
    favicon_url: imageAddress(given.favicon_url, api),
    primary_color: primary,
    secondary_color: secondary,
    accent_color: accent,
    css_variables: cleanVariables(given.css_variables),
  };
}

/**
 * Return a colour as #rrggbb, or null.
 * @param {unknown} value
 */
export function cleanColor(value) {
  return typeof value === "string" && parseColor(value) ? value.toLowerCase() : null;
}

/**
 * Return a length of the form that brands may have, or null.
 * @param {unknown} value
 */
export function cleanLength(value) {
  const found = typeof value === "string" ? LENGTH.exec(value) : null;
  if (!found || (found[1] && Number(found[1]) > LONGEST[found[2]])) return null;
  return found[0];
}

/**
 * Return a list of font names, or null.
 * @param {unknown} value
 */
export function cleanFonts(value) {
  return typeof value === "string" && value.length <= FONTS_LENGTH && FONTS.test(value) ? value : null;
}

/**
 * @param {unknown} value
 * @param {string} api
 */
function imageAddress(value, api) {
  const found = typeof value === "string" ? IMAGE.exec(value) : null;
  return found && new URL(`branding/images/${found[1]}/${found[2]}`, api).href;
}

/**
 * @param {unknown} value
 * @returns {Record<string, string>}
 */
function cleanVariables(value) {
  if (typeof value !== "object" || value === null) return {};
  /** @type {Record<string, string>} */
  const clean = {};
  for (const { name, kind } of VARIABLES) {
    const text = CLEANERS[kind](/** @type {Record<string, unknown>} */ (value)[name]);
    if (text !== null) clean[name] = text;
  }
  return clean;
}

const CLEANERS = { fonts: cleanFonts, length: cleanLength, color: cleanColor };

/** @type {{ name: string, title: string, kind: "fonts" | "length" | "color" }[]} */
export const VARIABLES = [
  { name: "--font-family", title: "Fonts", kind: "fonts" },
  { name: "--heading-font-family", title: "Fonts of headings", kind: "fonts" },
  { name: "--font-size", title: "Font size", kind: "length" },
  { name: "--border-radius", title: "Radius of corners", kind: "length" },
  { name: "--border-width", title: "Width of borders", kind: "length" },
  { name: "--spacing", title: "Spacing", kind: "length" },
  { name: "--background-color", title: "Background", kind: "color" },
  { name: "--surface-color", title: "Surfaces", kind: "color" },
  { name: "--text-color", title: "Text", kind: "color" },
  { name: "--muted-text-color", title: "Muted text", kind: "color" },
  { name: "--link-color", title: "Links", kind: "color" },
  { name: "--border-color", title: "Borders", kind: "color" },
];
