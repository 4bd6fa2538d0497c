/** The button that saves rows as a CSV file. */

import { toCsv } from "../csv.js";
import { h } from "../dom.js";
import { button } from "./buttons.js";

/**
 * Return a button that saves rows.
 * @param {string} fileName
 * @param {string[]} titles
 * @param {() => (string | number | null)[][]} rows
 */
export function csvButton(fileName, titles, rows) {
  return button("CSV", { iconName: "download", onClick: () => saveFile(fileName, toCsv(titles, rows())), label: "Save as CSV" });
}

/**
 * Save a text as a file.
 * @param {string} fileName
 * @param {string} text
 */
export function saveFile(fileName, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  h("a", { href: url, download: fileName }).click();
  URL.revokeObjectURL(url);
}
