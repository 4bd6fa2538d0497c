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
  const save = () => {
    const url = URL.createObjectURL(new Blob([toCsv(titles, rows())], { type: "text/csv" }));
    h("a", { href: url, download: fileName }).click();
    URL.revokeObjectURL(url);
  };
  return button("CSV", { iconName: "download", onClick: save, label: "Save as CSV" });
}
