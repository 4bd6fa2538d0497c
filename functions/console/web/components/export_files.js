/** The dialog with the files of an export. */

import { request } from "../api.js";
import { fill, h } from "../dom.js";
import { keepFocus } from "../focus.js";
import { formatBytes, formatMoment, formatNumber } from "../format.js";
import { icon } from "../icons.js";
import { button, whileBusy } from "./buttons.js";
import { openDialog } from "./dialog.js";
import { loadInto, skeleton } from "./states.js";
import { longText, table } from "./table.js";

/** @typedef {import("../types.d.ts").Export} Export */
/** @typedef {import("../types.d.ts").ExportFile} ExportFile */
/** @typedef {Export & { files: ExportFile[], pagination: { next_cursor: string | null } }} ExportWithFiles */

/**
 * @param {string} id of the export
 * @param {AbortSignal} signal
 * @param {() => void} onClose
 */
export function showExportFiles(id, signal, onClose) {
  const place = h("div", {});
  let files = /** @type {ExportFile[]} */ ([]);
  const reload = loadInto({
    place,
    subject: "the files",
    loading: skeleton("rows", 4),
    signal,
    load: () => read(null),
    show: (first) => {
      files = first.files;
      return showFiles(first);
    },
  });

  /**
   * @param {string | null} cursor
   * @returns {Promise<ExportWithFiles>}
   */
  async function read(cursor) {
    return request("GET", `exports/${id}`, { query: { cursor }, signal });
  }

  /** @param {ExportWithFiles} last the export with the last files that are read */
  function showFiles(last) {
    if (!last.manifest) return [h("p", {}, "This export has no files: it is not done, or its files are deleted.")];
    const cursor = last.pagination.next_cursor;
    const more = button("Show more files");
    more.hidden = cursor === null;
    more.addEventListener("click", () => void whileBusy(more, async () => {
      const next = await read(cursor);
      files = [...files, ...next.files];
      keepFocus(list, () => fill(list, ...showFiles({ ...next, manifest: last.manifest })));
    }));
    const until = last.expires_at ? `The files are deleted ${formatMoment(last.expires_at)}.` : "";
    const list = h("div", { class: "stack-small" });
    fill(
      list,
      h("p", {}, "JSON Lines, compressed with gzip. Links are valid for up to 12 hours; open this list again for new ones. ", until),
      h("div", {}, download(last.manifest, "manifest.json", "The list of all files with their checksums")),
      fileTable(files),
      h("div", {}, more),
    );
    return [list];
  }
  const dialog = openDialog({ title: "Files of the export", content: [h("div", { class: "dialog-body" }, place)], isWide: true });
  void dialog.closed.then(onClose);
  void reload();
}

/** @param {ExportFile[]} files */
function fileTable(files) {
  return table({
    caption: "Files",
    rows: files,
    isDense: true,
    columns: [
      { title: "File", cell: (file) => download(file.url, file.name, `Download ${file.name}`) },
      { title: "Rows", isNumber: true, cell: (file) => formatNumber(file.rows) },
      { title: "Size", isNumber: true, cell: (file) => formatBytes(file.bytes) },
      { title: "SHA-256", cell: (file) => h("code", {}, longText(file.sha256)) },
    ],
  });
}

/**
 * @param {string} url
 * @param {string} name
 * @param {string} title
 */
function download(url, name, title) {
  return h("a", { href: url, target: "_blank", rel: "noopener", title }, icon("download"), " ", name);
}
