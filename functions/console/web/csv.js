/** Rows as a CSV file (RFC 4180). */

const FORMULA = /^[=+\-@\t\r]/;
const PLAIN_NUMBER = /^-?\d+(?:\.\d+)?$/;

/**
 * Return rows as CSV. A text that a spreadsheet would run as a formula gets an apostrophe.
 * @param {string[]} titles
 * @param {(string | number | null)[][]} rows
 */
export function toCsv(titles, rows) {
  return [titles, ...rows].map((row) => row.map(quote).join(",")).join("\r\n") + "\r\n";
}

/** @param {string | number | null} value */
function quote(value) {
  const text = value === null ? "" : String(value);
  const safe = FORMULA.test(text) && !PLAIN_NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
