/** A DNS record to create: each part with a button that copies it. */

import { h } from "../dom.js";
import { copyButton } from "./buttons.js";

/** @typedef {import("../administration.d.ts").DnsRecord} DnsRecord */

/**
 * @param {DnsRecord} record
 * @param {string} title
 * @param {string} purpose
 * @param {Node | null} [state] a badge
 */
export function dnsRecord(record, title, purpose, state = null) {
  const parts = [copyLine("Name", record.name, title), copyLine("Value", record.value, title)];
  return h(
    "section",
    { class: "record", "aria-label": title },
    h("div", { class: "row" }, h("h3", {}, title), h("code", { class: "record-type" }, record.type), state),
    h("p", { class: "meta" }, purpose),
    h("dl", { class: "copy-lines" }, ...parts.flat()),
  );
}

/**
 * Return a term and its value, with a button that copies the value.
 * @param {string} term
 * @param {string} value
 * @param {string} subject what the value belongs to, for screen readers
 */
export function copyLine(term, value, subject) {
  const copy = copyButton(value);
  copy.append(h("span", { class: "visually-hidden" }, ` ${term.toLowerCase()} of ${subject}`));
  return [h("dt", {}, term), h("dd", {}, h("code", {}, value), copy)];
}
