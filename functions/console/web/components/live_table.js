/** A list that asks again while some of its rows are not finished, and changes only when they do. */

import { request } from "../api.js";
import { fill, h } from "../dom.js";
import { keepFocus } from "../focus.js";
import { poll } from "../poll.js";
import { button, whileBusy } from "./buttons.js";
import { loadInto, skeleton } from "./states.js";
import { toast } from "./toast.js";

/**
 * @template Row
 * @param {object} options
 * @param {string} options.path of the list, newest first
 * @param {string} options.subject
 * @param {AbortSignal} options.signal
 * @param {(row: Row) => boolean} options.isPending
 * @param {(rows: Row[]) => Node} options.show
 */
export function liveTable({ path, subject, signal, isPending, show }) {
  const place = h("div", {});
  const body = h("div", { class: "stack-small" });
  let first = /** @type {import("../types.d.ts").Listed<Row> | null} */ (null);
  let later = /** @type {Row[]} */ ([]);
  let cursor = /** @type {string | null} */ (null);
  let asked = new AbortController();
  const older = button("Show older ones", { onClick: () => void whileBusy(older, showOlder) });
  const reload = loadInto({ place, subject, loading: skeleton("rows", 3), signal, load, show: showAll });
  signal.addEventListener("abort", () => asked.abort());

  /** @returns {Promise<import("../types.d.ts").Listed<Row>>} */
  async function read() {
    return request("GET", path, { signal });
  }

  async function load() {
    first = await read();
    later = [];
    cursor = first.pagination.next_cursor;
    return first;
  }

  /** @param {import("../types.d.ts").Listed<Row>} page */
  function showAll(page) {
    older.hidden = cursor === null;
    asked.abort();
    asked = new AbortController();
    if (page.data.some(isPending)) poll(ask, asked.signal, Date.now());
    keepFocus(body, () => fill(body, show([...page.data, ...later]), h("div", { class: "older" }, older)));
    return body;
  }

  async function ask() {
    const seen = JSON.stringify(first?.data.map(textOf));
    const now = await read().catch(() => null);
    if (now && !signal.aborted && JSON.stringify(now.data.map(textOf)) !== seen) await reload();
  }

  /** Links are new in each answer, so they are no change. @param {Row} row */
  function textOf(row) {
    return { ...row, manifest: null };
  }

  async function showOlder() {
    try {
      const page = await request("GET", path, { query: { cursor }, signal });
      later = [...later, ...page.data];
      cursor = page.pagination.next_cursor;
      if (first) showAll(first);
    } catch (error) {
      if (!signal.aborted) toast(error instanceof Error ? error.message : "The list was not loaded.", "bad");
    }
  }
  return { element: place, reload };
}
