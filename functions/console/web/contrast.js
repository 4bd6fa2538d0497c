/** The contrast of a brand's colour in numbers and words. Pure functions. */

import { contrastOf, MARK_CONTRAST, parseColor, SURFACES, TEXT_CONTRAST, textOn } from "./colors.js";

/** @typedef {{ subject: string, ratio: number, kind: "ok" | "warn" | "info", text: string }} Check */

/**
 * Return the uses of a colour: with text on it, on light pages and on dark pages. No colour is refused.
 * @param {string} color
 * @returns {Check[]}
 */
export function checkContrast(color) {
  if (!parseColor(color)) return [];
  const ink = textOn(color);
  return [
    {
      subject: ink === "#ffffff" ? "White text on it" : "Black text on it",
      ratio: roundDown(contrastOf(ink, color)),
      kind: "ok",
      text: "easy to read",
    },
    checkOn(color, SURFACES.light, "On light pages"),
    checkOn(color, SURFACES.dark, "On dark pages"),
  ];
}

/**
 * @param {string} color
 * @param {string} surface
 * @param {string} subject
 * @returns {Check}
 */
function checkOn(color, surface, subject) {
  const exact = contrastOf(color, surface);
  const ratio = roundDown(exact);
  if (exact >= TEXT_CONTRAST) return { subject, ratio, kind: "ok", text: "for links and marks" };
  if (exact >= MARK_CONTRAST) {
    return { subject, ratio, kind: "info", text: "for marks; links are in the color of the text" };
  }
  return { subject, ratio, kind: "warn", text: "buttons and marks get a shade that is easier to see" };
}

/** @param {number} ratio */
function roundDown(ratio) {
  return Math.floor(ratio * 100 + 1e-9) / 100;
}
