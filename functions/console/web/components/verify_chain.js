/** The dialog that verifies the chain of the audit log, and hands out the seal to keep. */

import { request } from "../api.js";
import { linkText, parseLink, verifyChain } from "../audit_chain.js";
import { fill, h } from "../dom.js";
import { formatNumber } from "../format.js";
import { openDialog } from "./dialog.js";
import { copyLine } from "./dns_record.js";
import { actionForm, textField } from "./fields.js";
import { notice } from "./states.js";

/** @typedef {import("../audit_chain.js").Link} Link */
/** @typedef {import("../audit_chain.js").Result} Result */

/**
 * @param {(signal: AbortSignal) => Promise<number | null>} findEnd the sequence of the newest sealed entry, for the progress
 */
export function openVerification(findEnd) {
  const kept = textField({
    name: "after_seal",
    label: "Seal of an earlier verification",
    hint: "Optional. A log that was rewritten as a whole does not continue from it.",
    more: { placeholder: "sequence:seal" },
  });
  const ending = new AbortController();
  const outcome = h("div", { class: "stack-small", role: "status" });
  const form = actionForm({
    fields: [kept],
    action: "Verify the chain",
    before: [h("p", {}, "Each entry has a seal over itself and the seal before it. An entry that was changed or removed breaks the chain.")],
    async work() {
      const after = parseLink(kept.value());
      if (kept.value().trim() && !after) return kept.fault("Expected a sequence, a colon and a seal of 64 digits.");
      await run(after);
    },
  });

  /** @param {Link | null} after */
  async function run(after) {
    fill(outcome);
    const { signal } = ending;
    const end = await findEnd(signal);
    const start = after?.sequence ?? 0;
    const scale = end === null ? {} : { max: Math.max(1, end - start), value: 0 };
    const bar = h("progress", { "aria-label": "Verified entries", ...scale });
    fill(outcome, bar, h("p", { class: "meta" }, "Verifying…"));
    const ask = (/** @type {Link | null} */ link) =>
      request("GET", "audit/verify", { query: link ? { after_sequence: link.sequence, after_seal: link.seal } : {}, signal });
    try {
      const result = await verifyChain(ask, after, (sequence) => end !== null && (bar.value = sequence - start));
      fill(outcome, ...resultOf(result));
    } catch (error) {
      fill(outcome);
      throw error;
    }
  }
  const dialog = openDialog({
    title: "Verify the chain",
    content: [h("div", { class: "dialog-body" }, form.element, outcome)],
    isWide: true,
  });
  void dialog.closed.then(() => ending.abort());
}

/** @param {Result} result */
function resultOf({ broken, count, first, unsealed, isCut, link }) {
  const pending = unsealed > 0 ? ` ${formatNumber(unsealed)} newer entries get their seal within about a minute.` : "";
  if (broken) {
    const text = `The chain is broken at entry ${formatNumber(broken.sequence)}: ${broken.reason}`;
    return [notice("bad", h("h3", {}, "Not valid"), h("p", {}, text), h("p", {}, "Tell the operator of the platform, and keep your earlier seal."))];
  }
  const range = first === null ? "No entry follows." : `${formatNumber(count)} entries from number ${formatNumber(first)} on are as they were written.`;
  const cut = isCut ? " Retention has cut older ones. A signed checkpoint stands for them." : "";
  const seal = link && [
    h("p", {}, "Keep this seal outside the platform, and start the next verification with it."),
    h("dl", { class: "copy-lines" }, ...copyLine("Seal", linkText(link), "the last entry")),
  ];
  return [notice("ok", h("h3", {}, "Valid"), h("p", {}, `${range}${cut}${pending}`)), ...(seal ?? [])];
}
