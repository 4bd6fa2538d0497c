/** The rows of a list whose first page is read again and again, with the older pages that were opened. */

/**
 * @template {{ id: string }} Row
 * @typedef {object} Rows
 * @property {Row[]} rows newest first
 * @property {string | null} cursor of the older ones
 */

/**
 * Return the rows with the first page as it is now. Older rows stay.
 * @template {{ id: string }} Row
 * @param {Rows<Row>} shown
 * @param {import("./types.d.ts").Listed<Row>} page
 * @returns {Rows<Row>}
 */
export function renewFirst(shown, page) {
  const older = without(shown.rows, page.data);
  return { rows: [...page.data, ...older], cursor: older.length > 0 ? shown.cursor : page.pagination.next_cursor };
}

/**
 * Return the rows with an older page at their end.
 * @template {{ id: string }} Row
 * @param {Rows<Row>} shown
 * @param {import("./types.d.ts").Listed<Row>} page
 * @returns {Rows<Row>}
 */
export function appendPage(shown, page) {
  return { rows: [...shown.rows, ...without(page.data, shown.rows)], cursor: page.pagination.next_cursor };
}

/**
 * @template {{ id: string }} Row
 * @param {Row[]} rows
 * @param {Row[]} others
 */
function without(rows, others) {
  const ids = new Set(others.map(({ id }) => id));
  return rows.filter(({ id }) => !ids.has(id));
}
