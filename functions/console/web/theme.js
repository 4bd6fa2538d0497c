/** The look: light, dark or as the system, and the organization's brand. */

import { cleanFonts, cleanLength } from "./brand_values.js";
import { contrastOf, MARK_CONTRAST, parseColor, shadeFor, SURFACES, TEXT_CONTRAST, textOn } from "./colors.js";

/** @typedef {"auto" | "light" | "dark"} Theme */
/** @typedef {import("./administration.d.ts").Brand} Brand */

export const THEMES = /** @type {Theme[]} */ (["auto", "light", "dark"]);
const STORED = "console-theme";
const MOST_ROUND = "16px";
const root = document.documentElement;

/** @returns {Theme} */
export function readTheme() {
  const stored = /** @type {Theme} */ (read(STORED));
  return THEMES.includes(stored) ? stored : "auto";
}

/** @param {Theme} theme */
export function setTheme(theme) {
  root.dataset.theme = theme;
  try {
    localStorage.setItem(STORED, theme);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  announceLook();
}

/** Apply the stored theme. */
export function startTheme() {
  root.dataset.theme = readTheme();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", announceLook);
}

/**
 * Apply a brand: its primary colour, fonts and corners. A colour that cannot be read as text is used for marks only.
 * Surfaces and texts keep the colours of the console, whose contrast is known in light and dark.
 * @param {Brand} brand
 */
export function applyBrand(brand) {
  setProperties(root, propertiesOf(brand));
  announceLook();
}

/**
 * Set custom properties. Null removes one.
 * @param {HTMLElement} element
 * @param {Record<string, string | null>} properties
 */
export function setProperties(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value) element.style.setProperty(name, value);
    else element.style.removeProperty(name);
  }
}

/**
 * Return the custom properties of a brand. Null removes one.
 * @param {Brand} brand
 * @returns {Record<string, string | null>}
 */
export function propertiesOf({ primary_color: color, css_variables: variables }) {
  const radius = cleanLength(variables["--border-radius"]);
  return {
    ...shadesOf(parseColor(color ?? "") ? color : null),
    "--brand-font": cleanFonts(variables["--font-family"]),
    "--brand-heading-font": cleanFonts(variables["--heading-font-family"]),
    "--radius-small": radius && `min(${radius === "0" ? "0px" : radius}, ${MOST_ROUND})`,
  };
}

/**
 * Return the custom properties for a brand's colour. Null removes one.
 * @param {string | null} color
 * @returns {Record<string, string | null>}
 */
export function shadesOf(color) {
  /** @type {Record<string, string | null>} */
  const shades = {};
  for (const [scheme, surface] of Object.entries(SURFACES)) {
    const mark = color && shadeFor(color, surface, MARK_CONTRAST);
    shades[`--accent-mark-${scheme}`] = mark;
    shades[`--on-accent-${scheme}`] = mark && textOn(mark);
    const isReadable = color !== null && contrastOf(color, surface) >= TEXT_CONTRAST;
    shades[`--accent-text-${scheme}`] = isReadable ? color : color && "var(--text)";
  }
  return shades;
}

/**
 * Return the colour that a custom property has now, for drawings on a canvas.
 * @param {string} property
 */
export function colorOf(property) {
  const probe = document.createElement("span");
  probe.style.setProperty("color", `var(${property})`);
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/**
 * Call *listener* when the colours have changed.
 * @param {() => void} listener
 * @param {AbortSignal} signal
 */
export function onLook(listener, signal) {
  root.addEventListener("look", listener, { signal });
}

function announceLook() {
  root.dispatchEvent(new Event("look"));
}

/** @param {string} name */
function read(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}
