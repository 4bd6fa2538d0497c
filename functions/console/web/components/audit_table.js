/** The dense table of the audit log, and the details of an entry. */

import { actorText } from "../actors.js";
import { h } from "../dom.js";
import { formatExact, formatNumber } from "../format.js";
import { copyButton } from "./buttons.js";
import { openRows, rowAttributes, rowOpener } from "./open_rows.js";
import { badge } from "./states.js";
import { longText, table } from "./table.js";

/** @typedef {import("../administration.d.ts").AuditEntry} AuditEntry */
/** @typedef {import("../actors.js").Names} Names */

const INDENT = 2;

/**
 * @param {(entry: AuditEntry) => void} onOpen
 */
export function auditTable(onOpen) {
  const shown = openRows();

  /**
   * @param {AuditEntry[]} entries
   * @param {Names} names
   */
  function show(entries, names) {
    const made = table({
      caption: "Entries, newest first",
      rows: entries,
      isDense: true,
      attributesOf: (entry) => rowAttributes(entry.id, () => onOpen(entry)),
      columns: [
        { title: "Time", cell: (entry) => rowOpener(entry.id, entry.occurred_at, entry.action) },
        { title: "Who", cell: (entry) => longText(actorText(entry.actor, names)) },
        { title: "Action", cell: (entry) => h("code", {}, longText(entry.action)) },
        { title: "On what", cell: (entry) => (entry.target ? longText(entry.target) : "–") },
        { title: "Outcome", cell: outcomeOf },
        { title: "Address", cell: (entry) => entry.actor.source_address ?? "–" },
      ],
    });
    shown.show(made);
  }
  return { ...shown, show };
}

/** @param {AuditEntry} entry */
function outcomeOf(entry) {
  const times = entry.count > 1 ? `, ${formatNumber(entry.count)} times` : "";
  return entry.outcome === "done" ? badge("ok", `Done${times}`) : badge("bad", `Refused${times}`);
}

/**
 * Return all that an entry has.
 * @param {AuditEntry} entry
 * @param {Names} names
 */
export function entryDetails(entry, names) {
  /** @type {[string, string | null][]} */
  const facts = [
    ["Time", formatExact(entry.occurred_at)],
    ["Who", actorText(entry.actor, names)],
    ["Id", entry.actor.id],
    ["Address", entry.actor.source_address],
    ["On what", entry.target],
    ["Outcome", entry.code ? `${entry.outcome}: ${entry.code}` : entry.outcome],
    ["Requests", formatNumber(entry.count)],
    ["Request id", entry.request_id],
    ["Number in the chain", entry.sequence === null ? "Not sealed yet, within about a minute" : formatNumber(entry.sequence)],
    ["Seal", entry.seal],
  ];
  const list = facts.filter(([, text]) => text).map(([term, text]) => [h("dt", {}, term), h("dd", {}, text)]);
  return [h("dl", { class: "facts facts-narrow" }, ...list.flat()), h("div", {}, copyButton(JSON.stringify(entry, null, INDENT), "Copy the JSON"))];
}
