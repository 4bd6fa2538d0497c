/** Audit: the log with its filters, the details of an entry, CSV, and the verification of the chain. */

import { loadNames } from "../actors.js";
import { request } from "../api.js";
import { findLastSealed } from "../audit_chain.js";
import { AUDIT_FILTERS, filterText, OUTCOMES, queryOf, readFilters, writeFilters } from "../audit_query.js";
import { auditCsvButton } from "../components/audit_csv.js";
import { auditTable, entryDetails } from "../components/audit_table.js";
import { button, whileBusy } from "../components/buttons.js";
import { detailsPanel } from "../components/details_panel.js";
import { failureToast } from "../components/failure_toast.js";
import { filterBar } from "../components/filter_bar.js";
import { keepTimesTrue } from "../components/relative_time.js";
import { emptyState, loadInto, skeleton } from "../components/states.js";
import { toast } from "../components/toast.js";
import { openVerification } from "../components/verify_chain.js";
import { h } from "../dom.js";
import { formatNumber } from "../format.js";
import { setQuery } from "../router.js";

/** @typedef {import("../administration.d.ts").AuditEntry} AuditEntry */

const PAGE_ROWS = 50;
const MOST_PAGES = 10; // that a link looks through
const OPEN = "entry";

/** @type {import("../types.d.ts").Page} */
export const page = {
  title: "Audit",
  purpose: "Changes, reads and refused requests, each with its actor. Seals link the entries into a chain.",
  async show({ root, actions, query, signal }) {
    let chosen = readFilters(query);
    let names = /** @type {import("../actors.js").Names} */ (new Map());
    let entries = /** @type {AuditEntry[]} */ ([]);
    let cursor = /** @type {string | null} */ (null);
    let openedId = /** @type {string | null} */ (null);
    const choicesOf = (/** @type {string} */ name) => ({ actor: [...names], outcome: OUTCOMES })[name] ?? null;
    const filters = filterBar({
      filters: AUDIT_FILTERS,
      chosen,
      choicesOf,
      textOf: (name, value) => filterText(name, value, choicesOf(name)),
      onChange: choose,
    });
    const rows = auditTable(open);
    const place = h("div", {});
    const details = detailsPanel("entry", close);
    const split = h("div", { class: "split", on: { keydown: onKey } }, place, details.element);
    const older = button("Show older entries", { onClick: () => void whileBusy(older, showOlder) });
    const end = h("p", { class: "meta" });
    const body = h("div", { class: "stack-small" }, rows.element, h("div", { class: "row" }, older, end));
    const reload = loadInto({
      place,
      subject: "the audit log",
      loading: skeleton("dense", 12),
      signal,
      load: async () => {
        if (names.size === 0) names = await loadNames(signal);
        return read(null);
      },
      show(first) {
        entries = [];
        filters.update();
        add(first);
        return entries.length > 0 ? body : emptyState("No matching entries", "Change the filters above. Without days, the last 30 days are shown.");
      },
    });

    /**
     * @param {string | null} after
     * @returns {Promise<import("../types.d.ts").Listed<AuditEntry>>}
     */
    async function read(after) {
      return request("GET", "audit", { query: { ...queryOf(chosen, new Date()), limit: PAGE_ROWS, cursor: after }, signal });
    }

    /** @param {import("../types.d.ts").Listed<AuditEntry>} part */
    function add({ data, pagination }) {
      entries = [...entries, ...data];
      cursor = pagination.next_cursor;
      older.hidden = !pagination.has_more;
      end.textContent = pagination.has_more ? `The newest ${formatNumber(entries.length)} entries.` : "All entries of these days are shown.";
      rows.show(entries, names);
    }

    /** Add older entries. The shown ones stay, also if that fails. */
    async function showOlder() {
      const asked = chosen;
      const from = entries.length;
      try {
        const part = await read(cursor);
        if (signal.aborted || asked !== chosen) return;
        add(part);
        rows.focusRow(Math.min(from, entries.length - 1));
      } catch (error) {
        if (!signal.aborted) failureToast(error, "Not loaded");
      }
    }

    /** @param {Record<string, string>} next */
    function choose(next) {
      close();
      chosen = next;
      setQuery(writeFilters(next));
      void reload();
    }

    /** @param {AuditEntry} entry */
    function open(entry) {
      details.hide();
      openedId = entry.id;
      setQuery({ [OPEN]: entry.id });
      rows.mark(entry.id);
      split.classList.add("is-split");
      details.show(entry.action, ...entryDetails(entry, names));
    }

    /** Close the entry. The focus goes back to its row. */
    function close() {
      if (!openedId) return;
      const hadFocus = split.contains(document.activeElement);
      openedId = null;
      setQuery({ [OPEN]: null });
      split.classList.remove("is-split");
      details.hide();
      rows.mark(null, hadFocus);
    }

    /** @param {Event} event */
    function onKey(event) {
      if (event instanceof KeyboardEvent && event.key === "Escape") close();
    }

    const findEnd = (/** @type {AbortSignal} */ ending) =>
      findLastSealed((after) => request("GET", "audit", { query: { limit: PAGE_ROWS, cursor: after }, signal: ending }));
    const verify = button("Verify the chain", { look: "primary", iconName: "privacy", onClick: () => openVerification(findEnd) });
    actions.append(auditCsvButton(() => chosen, signal), verify);
    root.append(h("div", { class: "stack-small" }, filters.element, split));
    keepTimesTrue(root, signal);
    await reload();
    const wanted = query.get(OPEN);
    if (wanted && !signal.aborted) await openLinked(wanted);

    /**
     * Open the entry that a link names. It is looked for in some older pages.
     * @param {string} id
     */
    async function openLinked(id) {
      const find = () => entries.find((entry) => entry.id === id);
      for (let page = 1; page < MOST_PAGES && !find() && cursor && !older.hidden; page += 1) await showOlder();
      const found = find();
      if (signal.aborted) return;
      if (found) open(found);
      else toast(`The entry is not among the newest ${formatNumber(entries.length)} that match the filters.`, "info");
    }
  },
};
