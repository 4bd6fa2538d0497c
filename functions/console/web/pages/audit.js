/** Audit: the log with its filters, the details of an entry, CSV, and the verification of the chain. */

import { loadNames } from "../actors.js";
import { request } from "../api.js";
import { AUDIT_FILTERS, filterText, OUTCOMES, queryOf, readFilters, writeFilters } from "../audit_query.js";
import { auditCsvButton } from "../components/audit_csv.js";
import { auditTable, entryDetails } from "../components/audit_table.js";
import { button } from "../components/buttons.js";
import { detailsPanel } from "../components/details_panel.js";
import { filterBar } from "../components/filter_bar.js";
import { keepTimesTrue } from "../components/relative_time.js";
import { emptyState, loadInto, skeleton } from "../components/states.js";
import { openVerification } from "../components/verify_chain.js";
import { h } from "../dom.js";
import { formatNumber } from "../format.js";
import { setQuery } from "../router.js";

/** @typedef {import("../administration.d.ts").AuditEntry} AuditEntry */

const PAGE_ROWS = 50;
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
    let wantsOlder = false;
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
    const reload = loadInto({
      place,
      subject: "the audit log",
      loading: skeleton("dense", 12),
      signal,
      load: async () => {
        const isOlder = wantsOlder;
        wantsOlder = false;
        if (names.size === 0) names = await loadNames(signal);
        const asked = { ...queryOf(chosen, new Date()), limit: PAGE_ROWS, cursor: isOlder ? cursor : null };
        return { ...(await request("GET", "audit", { query: asked, signal })), isOlder };
      },
      show({ data, pagination, isOlder }) {
        entries = isOlder ? [...entries, ...data] : data;
        cursor = pagination.next_cursor;
        filters.update();
        if (entries.length === 0) return emptyState("No entries fit", "Change the filters above. Without days the last 30 are shown.");
        rows.show(entries, names);
        const more = pagination.has_more ? button("Show older entries", { onClick: showOlder }) : null;
        const end = pagination.has_more ? `The newest ${formatNumber(entries.length)} entries.` : "These are all of these days.";
        return h("div", { class: "stack-small" }, rows.element, h("div", { class: "row" }, more, h("p", { class: "meta" }, end)));
      },
    });

    /** @param {Record<string, string>} next */
    function choose(next) {
      close();
      chosen = next;
      setQuery(writeFilters(next));
      void reload();
    }

    function showOlder() {
      wantsOlder = true;
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

    /** Return the sequence of the newest sealed entry, for the progress of a verification. */
    async function findEnd() {
      const { data } = await request("GET", "audit", { query: { limit: PAGE_ROWS }, signal });
      return /** @type {AuditEntry[]} */ (data).find((entry) => entry.sequence !== null)?.sequence ?? null;
    }
    const verify = button("Verify the chain", { look: "primary", iconName: "privacy", onClick: () => openVerification(findEnd) });
    actions.append(auditCsvButton(() => chosen, signal), verify);
    root.append(h("div", { class: "stack-small" }, filters.element, split));
    keepTimesTrue(root, signal);
    await reload();
    const wanted = entries.find((entry) => entry.id === query.get(OPEN));
    if (wanted && !signal.aborted) open(wanted);
  },
};
