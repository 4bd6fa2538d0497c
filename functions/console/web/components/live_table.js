/** A list that asks again while some of its rows are not finished, and changes only when they do. */

import { request } from "../api.js";
import { fill, h } from "../dom.js";
import { keepFocus } from "../focus.js";
import { appendPage, renewFirst } from "../live_rows.js";
import { poll } from "../poll.js";
import { button, whileBusy } from "./buttons.js";
import { failureToast } from "./failure_toast.js";
import { loadInto, skeleton } from "./states.js";

/**
 * @template {{ id: string }} Row
 * @param {object} options
 * @param {string} options.path of the list, newest first
 * @param {string} options.subject
 * @param {AbortSignal} options.signal
 * @param {(row: Row) => boolean} options.isPending
 * @param {(rows: Row[]) => Node} options.show
 */
export function liveTable({ path, subject, signal, isPending, show }) {
  /** @typedef {import("../types.d.ts").Listed<Row>} Page */
  const place = h("div", {});
  const body = h("div", { class: "stack-small" });
  let shown = /** @type {import("../live_rows.js").Rows<Row>} */ ({ rows: [], cursor: null });
  let firstText = "";
  let asked = new AbortController();
  const older = button("Show older ones", { onClick: () => void whileBusy(older, showOlder) });
  const reload = loadInto({ place, subject, loading: skeleton("rows", 3), signal, load: () => read(null), show: showFirst });
  signal.addEventListener("abort", () => asked.abort());

  /**
   * @param {string | null} cursor
   * @returns {Promise<Page>}
   */
  async function read(cursor) {
    return request("GET", path, { query: { cursor }, signal });
  }

  /** @param {Page} page */
  function showFirst(page) {
    shown = renewFirst(shown, page);
    firstText = textOf(page);
    asked.abort();
    asked = new AbortController();
    if (page.data.some(isPending)) poll(ask, asked.signal, Date.now());
    showAll();
    return body;
  }

  function showAll() {
    older.hidden = shown.cursor === null;
    keepFocus(body, () => fill(body, show(shown.rows), h("div", { class: "older" }, older)));
  }

  async function ask() {
    const page = await read(null);
    if (!signal.aborted && textOf(page) !== firstText) await reload(page);
  }

  /** Links are new in each answer, so they are no change. @param {Page} page */
  function textOf(page) {
    return JSON.stringify(page.data.map((row) => ({ ...row, manifest: null })));
  }

  async function showOlder() {
    try {
      shown = appendPage(shown, await read(shown.cursor));
      showAll();
    } catch (error) {
      if (!signal.aborted) failureToast(error, "Not loaded");
    }
  }
  return { element: place, reload: () => reload() };
}
