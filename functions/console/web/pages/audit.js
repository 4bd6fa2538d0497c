/** Audit: the log with its filters, the details of an entry, CSV, and the verification of the chain. */

import { actorText, loadNames } from "../actors.js";
import { exchange, request } from "../api.js";
import { joinCsv, queryOf, readFilters } from "../audit_query.js";
import { auditFilters } from "../components/audit_filters.js";
import { button, copyButton, whileBusy } from "../components/buttons.js";
import { saveFile } from "../components/csv_button.js";
import { failureToast } from "../components/failure_toast.js";
import { sidePanel } from "../components/side_panel.js";
import { badge, emptyState, loadInto, skeleton } from "../components/states.js";
import { table } from "../components/table.js";
import { openVerification } from "../components/verify_chain.js";
import { h } from "../dom.js";
import { formatMoment, formatNumber, formatRelative } from "../format.js";
import { setQuery } from "../router.js";

/** @typedef {import("../administration.d.ts").AuditEntry} AuditEntry */
/** @typedef {import("../audit_query.js").Filters} Filters */
/** @typedef {{ entries: AuditEntry[], names: Map<string, string>, cursor: string | null, wantsOlder: boolean }} Shown */

const PAGE_ROWS = 50;
const OPEN = "entry";
const CURSOR = "X-Next-Cursor";

/** @type {import("../types.d.ts").Page} */
export const page = {
  title: "Audit",
  purpose: "Who changed or read what, and which requests were refused. Entries are sealed in a chain.",
  async show(view) {
    const { signal } = view;
    const filters = readFilters(view.query, new Date());
    const shown = /** @type {Shown} */ ({ entries: [], names: new Map(), cursor: null, wantsOlder: false });
    const place = h("div", {});
    const panel = sidePanel(place, () => {
      setQuery({ [OPEN]: null });
      mark(null);
    });
    const controls = auditFilters(filters, (changes) => {
      Object.assign(filters, changes);
      setQuery(changes);
      panel.close();
      void reload();
    });
    const reload = loadInto({
      place,
      subject: "the audit log",
      loading: skeleton("rows", 8),
      signal,
      load: async () => {
        const isOlder = shown.wantsOlder;
        shown.wantsOlder = false;
        shown.names = shown.names.size > 0 ? shown.names : await loadNames(signal);
        const query = { ...queryOf(filters), limit: PAGE_ROWS, cursor: isOlder ? shown.cursor : null };
        return { ...(await request("GET", "audit", { query, signal })), isOlder };
      },
      show({ data, pagination, isOlder }) {
        shown.entries = isOlder ? [...shown.entries, ...data] : data;
        shown.cursor = pagination.next_cursor;
        controls.showNames(shown.names);
        controls.showActions([...new Set(shown.entries.map((entry) => entry.action))].sort());
        if (shown.entries.length === 0) return emptyState("No entries fit", "Change the days or the filters above.");
        const more = pagination.has_more ? button("Show older entries", { onClick: showOlder }) : null;
        const end = h("p", { class: "meta" }, pagination.has_more ? `The newest ${formatNumber(shown.entries.length)} entries.` : "These are all.");
        return h("div", { class: "stack-small" }, entryTable(shown, open), h("div", { class: "row" }, more, end));
      },
    });

    function showOlder() {
      shown.wantsOlder = true;
      void reload();
    }

    /** @param {AuditEntry} entry */
    function open(entry) {
      setQuery({ [OPEN]: entry.id });
      mark(entry.id);
      panel.show("Entry", details(entry, shown.names));
    }

    /** @param {string | null} id */
    function mark(id) {
      for (const opener of place.querySelectorAll("[data-entry]")) {
        if (opener.getAttribute("data-entry") === id) opener.setAttribute("aria-current", "true");
        else opener.removeAttribute("aria-current");
      }
    }
    const findEnd = async () => {
      const { data } = await request("GET", "audit", { query: { limit: PAGE_ROWS }, signal });
      return /** @type {AuditEntry[]} */ (data).find((entry) => entry.sequence !== null)?.sequence ?? null;
    };
    view.actions.append(csvButton(filters, signal), button("Verify the chain", { look: "primary", iconName: "privacy", onClick: () => openVerification(findEnd) }));
    view.root.append(h("div", { class: "stack-small" }, controls.element, panel.element));
    await reload();
    const wanted = shown.entries.find((entry) => entry.id === view.query.get(OPEN));
    if (wanted) open(wanted);
  },
};

/**
 * @param {Shown} shown
 * @param {(entry: AuditEntry) => void} open
 */
function entryTable({ entries, names }, open) {
  return table({
    caption: "Entries, newest first",
    rows: entries,
    isDense: true,
    columns: [
      { title: "Time", cell: (entry) => timeButton(entry, open) },
      { title: "Who", cell: (entry) => actorText(entry.actor, names) },
      { title: "Action", cell: (entry) => h("code", {}, entry.action) },
      { title: "On what", cell: (entry) => h("span", { class: "target", title: entry.target }, entry.target || "–") },
      { title: "Outcome", cell: outcomeOf },
      { title: "Address", cell: (entry) => entry.actor.source_address ?? "–" },
    ],
  });
}

/**
 * @param {AuditEntry} entry
 * @param {(entry: AuditEntry) => void} open
 */
function timeButton(entry, open) {
  const time = h("time", { datetime: entry.occurred_at }, formatRelative(entry.occurred_at));
  const attributes = { type: "button", class: "link-button", "data-entry": entry.id, title: formatMoment(entry.occurred_at) };
  return h("button", { ...attributes, on: { click: () => open(entry) } }, time, h("span", { class: "visually-hidden" }, `, details of ${entry.action}`));
}

/** @param {AuditEntry} entry */
function outcomeOf(entry) {
  const times = entry.count > 1 ? `, ${formatNumber(entry.count)} times` : "";
  return entry.outcome === "done" ? badge("ok", `Done${times}`) : badge("bad", `Refused${times}`);
}

/**
 * @param {AuditEntry} entry
 * @param {Map<string, string>} names
 */
function details(entry, names) {
  /** @type {[string, string | null][]} */
  const facts = [
    ["Time", `${formatMoment(entry.occurred_at)} (${entry.occurred_at})`],
    ["Who", actorText(entry.actor, names)],
    ["Id", entry.actor.id],
    ["Address", entry.actor.source_address],
    ["Action", entry.action],
    ["On what", entry.target],
    ["Outcome", entry.code ? `${entry.outcome}: ${entry.code}` : entry.outcome],
    ["Requests", formatNumber(entry.count)],
    ["Request id", entry.request_id],
    ["Number in the chain", entry.sequence === null ? "Not sealed yet, within about a minute" : String(entry.sequence)],
    ["Seal", entry.seal],
  ];
  const list = facts.filter(([, text]) => text).map(([term, text]) => [h("dt", {}, term), h("dd", {}, text)]);
  return h("div", { class: "stack-small" }, h("dl", { class: "facts" }, ...list.flat()), h("div", {}, copyButton(JSON.stringify(entry, null, 2), "Copy as JSON")));
}

/**
 * Return the button that saves all entries that the filters select.
 * @param {Filters} filters
 * @param {AbortSignal} signal
 */
function csvButton(filters, signal) {
  const save = button("CSV", { iconName: "download", label: "Save as CSV" });
  save.addEventListener("click", () => {
    void whileBusy(save, async () => {
      try {
        const pages = /** @type {string[]} */ ([]);
        for (let cursor = /** @type {string | null} */ (null); ; ) {
          const { document: text, headers } = await exchange("GET", "audit", { query: { ...queryOf(filters), format: "csv", cursor }, signal });
          pages.push(text ?? "");
          cursor = headers.get(CURSOR);
          if (!cursor) break;
        }
        saveFile(`audit-${filters.from}-${filters.to}.csv`, joinCsv(pages));
      } catch (error) {
        failureToast(error, "Not saved");
      }
    });
  });
  return save;
}
