/** Privacy: exports of all data, and erasures of data subjects. */

import { request } from "../api.js";
import { button } from "../components/buttons.js";
import { confirmDialog } from "../components/confirm_dialog.js";
import { eraseSubject } from "../components/erasure_dialog.js";
import { showExportFiles } from "../components/export_files.js";
import { liveTable } from "../components/live_table.js";
import { keepTimesTrue, momentTime, relativeMoment } from "../components/relative_time.js";
import { badge, emptyState } from "../components/states.js";
import { table } from "../components/table.js";
import { toast } from "../components/toast.js";
import { h } from "../dom.js";
import { formatMoment, formatNumber, formatRelative } from "../format.js";
import { setQuery } from "../router.js";
import { may } from "../session.js";

/** @typedef {import("../types.d.ts").View} View */
/** @typedef {import("../types.d.ts").Export} Export */
/** @typedef {import("../types.d.ts").Erasure} Erasure */

/** @type {import("../types.d.ts").Page} */
export const page = {
  title: "Privacy",
  purpose: "Export all data of your organization, and erase the events of one device or user.",
  async show(view) {
    const exports = exportSection(view);
    const erasures = may("erasures:write") ? erasureSection(view) : null;
    view.root.append(h("div", { class: "stack" }, exports.element, erasures?.element ?? h("div", {})));
    keepTimesTrue(view.root, view.signal);
    await Promise.all([exports.reload(), erasures?.reload()]);
  },
};

/** @param {View} view */
function exportSection({ query, signal }) {
  const open = (/** @type {string} */ id) => {
    setQuery({ export: id });
    showExportFiles(id, signal, () => signal.aborted || setQuery({ export: null }));
  };
  const list = liveTable({
    path: "exports",
    subject: "the exports",
    signal,
    isPending: (/** @type {Export} */ each) => each.status === "pending",
    show: (/** @type {Export[]} */ rows) => (rows.length > 0 ? exportTable(rows, open) : noExports()),
  });
  const ask = async () => {
    const text = "The export has all data of the organization but passwords, keys and tokens. You get a mail with links when it is done.";
    const done = await confirmDialog("Request an export", [h("p", {}, text)], "primary", async () => {
      await request("POST", "exports");
      toast("The export is requested.");
    });
    if (done) await list.reload();
  };
  const wanted = query.get("export");
  if (wanted) open(wanted);
  return section("Exports", button("Request an export", { look: "primary", iconName: "download", onClick: () => void ask() }), list);
}

function noExports() {
  return emptyState("No exports yet", "An export writes all data of your organization to files, for a move or for a request of a person.");
}

/**
 * @param {Export[]} rows
 * @param {(id: string) => void} onOpen
 */
function exportTable(rows, onOpen) {
  return table({
    caption: "Exports",
    rows,
    columns: [
      { title: "Requested", cell: ({ requested_at: at }) => momentTime(at, formatMoment(at)) },
      { title: "Status", cell: exportStatus },
      { title: "Files are deleted", cell: ({ expires_at: at, status }) => (at && status === "done" ? relativeMoment(at) : "–") },
      {
        title: "Files",
        cell: ({ id, status, requested_at: at }) =>
          status === "done" ? button("Files", { iconName: "download", label: `Files of the export of ${formatMoment(at)}`, onClick: () => onOpen(id) }) : "–",
      },
    ],
  });
}

/** @param {Export} each */
function exportStatus({ status, requested_at: at, finished_at: end }) {
  if (status === "pending") {
    const begun = h("time", { class: "meta", datetime: at, "data-relative": true }, formatRelative(at));
    return h("div", { class: "progress-cell" }, badge("info", "Being written"), progressBar("Being written"), h("span", { class: "meta" }, "begun "), begun);
  }
  if (status === "done") return h("div", {}, badge("ok", "Done"), h("p", { class: "meta" }, end ? formatMoment(end) : ""));
  return badge("off", status === "expired" ? "Files deleted" : "Withdrawn by an erasure");
}

/** @param {View} view */
function erasureSection({ signal }) {
  const list = liveTable({
    path: "erasures",
    subject: "the erasures",
    signal,
    isPending: (/** @type {Erasure} */ each) => each.status === "pending",
    show: (/** @type {Erasure[]} */ rows) => (rows.length > 0 ? erasureTable(rows) : noErasures()),
  });
  const erase = button("Erase a data subject", { onClick: () => eraseSubject(() => void list.reload()) });
  return section("Erasures", erase, list);
}

function noErasures() {
  return emptyState("No erasures yet", "An erasure deletes all events of one device or user, and everything that was counted with them.");
}

/** @param {Erasure[]} rows */
function erasureTable(rows) {
  return table({
    caption: "Erasures",
    rows,
    columns: [
      { title: "Requested", cell: ({ requested_at: at }) => momentTime(at, formatMoment(at)) },
      { title: "Subject", cell: ({ subject }) => (subject === "device_id" ? "A device" : "A user") },
      { title: "Status", cell: erasureStatus },
      { title: "Events before", isNumber: true, cell: ({ events }) => count(events.before) },
      { title: "Events after", isNumber: true, cell: ({ events }) => count(events.after) },
      { title: "Held before", isNumber: true, cell: ({ held_events: held }) => count(held.before) },
      { title: "Held after", isNumber: true, cell: ({ held_events: held }) => count(held.after) },
      { title: "Confirmed", cell: ({ confirmed_at: at }) => (at ? momentTime(at, formatMoment(at)) : "–") },
    ],
  });
}

/** @param {Erasure} each */
function erasureStatus({ status, erased_at: at }) {
  if (status === "confirmed") return badge("ok", "Confirmed");
  if (status === "pending") return h("div", { class: "progress-cell" }, badge("info", "Being erased"), progressBar("Being erased"));
  const text = at ? `${formatMoment(at)}. It is confirmed when no late event has come for 45 minutes.` : "";
  return h("div", {}, badge("ok", "Erased"), h("p", { class: "meta wraps" }, text));
}

/** @param {number | null} value */
function count(value) {
  return value === null ? "–" : formatNumber(value);
}

/**
 * Return a bar of a work whose end is not known.
 * @param {string} label
 */
function progressBar(label) {
  return h("div", { class: "progress", role: "progressbar", "aria-label": label });
}

/**
 * @param {string} title
 * @param {Node} action
 * @param {{ element: HTMLElement, reload: () => Promise<void> }} list
 */
function section(title, action, list) {
  const head = h("div", { class: "card-head" }, h("h2", {}, title), action);
  return { element: h("div", {}, head, list.element), reload: list.reload };
}
