/** The look: light, dark or as the system, and the organization's brand. */

import { contrastOf, MARK_CONTRAST, parseColor, shadeFor, TEXT_CONTRAST, textOn } from "./colors.js";

/** @typedef {"auto" | "light" | "dark"} Theme */
/**
 * @typedef {object} Brand
 * @property {string | null} [logo_url]
 * @property {string | null} [favicon_url]
 * @property {string | null} [primary_color]
 * @property {Record<string, string>} [css_variables]
 */

export const THEMES = /** @type {Theme[]} */ (["auto", "light", "dark"]);
const STORED = "console-theme";
/** The surfaces of styles/00-tokens.css, on which marks and texts in the colour of a brand stand. */
const SURFACES = { light: "#ffffff", dark: "#131417" };
const IMAGES = "/branding/images/";
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
 * Apply a brand: its primary colour, fonts, corners and icon. A colour that cannot be read as text is used for marks
 * only. Surfaces and texts keep the colours of the console, whose contrast is known in light and dark.
 * @param {Brand} brand
 */
export function applyBrand(brand) {
  const color = parseColor(brand.primary_color ?? "") ? String(brand.primary_color) : null;
  const variables = brand.css_variables ?? {};
  const radius = variables["--border-radius"];
  const properties = {
    ...shadesOf(color),
    "--brand-font": variables["--font-family"] ?? null,
    "--brand-heading-font": variables["--heading-font-family"] ?? null,
    "--radius-small": radius ? `min(${radius}, ${MOST_ROUND})` : null,
  };
  for (const [name, value] of Object.entries(properties)) {
    if (value) root.style.setProperty(name, value);
    else root.style.removeProperty(name);
  }
  if (brand.favicon_url) document.querySelector('link[rel="icon"]')?.setAttribute("href", ownAddress(brand.favicon_url));
  announceLook();
}

/**
 * Return the address of an image of a brand on this host. Each host of the platform serves all of them.
 * @param {string} url
 */
export function ownAddress(url) {
  const { pathname } = new URL(url, import.meta.url);
  return new URL(`..${pathname.slice(Math.max(0, pathname.indexOf(IMAGES)))}`, import.meta.url).href;
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
