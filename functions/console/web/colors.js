/** Colours of brands: their contrast by WCAG 2.2, and the nearest colour that can be read or seen. */

export const TEXT_CONTRAST = 4.5;
export const MARK_CONTRAST = 3;
/** The surfaces of styles/00-tokens.css, on which marks and texts in the colour of a brand stand. */
export const SURFACES = { light: "#ffffff", dark: "#131417" };
const STEPS = 20;
const WHITE = "#ffffff";
const BLACK = "#000000";

/**
 * Return red, green and blue of #rrggbb from 0 to 255, or null.
 * @param {string} color
 * @returns {[number, number, number] | null}
 */
export function parseColor(color) {
  const found = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color);
  if (!found) return null;
  return [parseInt(found[1], 16), parseInt(found[2], 16), parseInt(found[3], 16)];
}

/**
 * Return the contrast of two colours, from 1 to 21.
 * @param {string} one
 * @param {string} other
 */
export function contrastOf(one, other) {
  const [darker, lighter] = [luminanceOf(one), luminanceOf(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

/**
 * Return black or white: the one that can be read better on *color*.
 * @param {string} color
 */
export function textOn(color) {
  return contrastOf(WHITE, color) >= contrastOf(BLACK, color) ? WHITE : BLACK;
}

/**
 * Return *color*, or the nearest shade of it that has the contrast *least* on *surface*.
 * @param {string} color
 * @param {string} surface
 * @param {number} least
 */
export function shadeFor(color, surface, least) {
  const target = textOn(surface);
  for (let step = 0; step <= STEPS; step += 1) {
    const shade = mix(color, target, step / STEPS);
    if (contrastOf(shade, surface) >= least) return shade;
  }
  return target;
}

/**
 * @param {string} color
 * @param {string} other
 * @param {number} part of *other*
 */
function mix(color, other, part) {
  const [from, to] = [parseColor(color) ?? [0, 0, 0], parseColor(other) ?? [0, 0, 0]];
  const mixed = from.map((value, index) => Math.round(value + (to[index] - value) * part));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** @param {string} color */
function luminanceOf(color) {
  const [red, green, blue] = (parseColor(color) ?? [0, 0, 0]).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
