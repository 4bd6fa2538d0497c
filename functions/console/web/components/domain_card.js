/** A custom domain: its steps, its records and its problem. */

import { request } from "../api.js";
import { foundText, isLeaving, problemText, RECORDS, statusOf, stepsOf, weightOf } from "../domain_steps.js";
import { h } from "../dom.js";
import { formatMoment, formatRelative } from "../format.js";
import { icon } from "../icons.js";
import { may } from "../session.js";
import { button, whileBusy } from "./buttons.js";
import { destroyDialog } from "./destroy_dialog.js";
import { dnsRecord } from "./dns_record.js";
import { failureToast } from "./failure_toast.js";
import { badge, notice } from "./states.js";
import { announce, toast } from "./toast.js";

/** @typedef {import("../administration.d.ts").CustomDomain} CustomDomain */
/** @typedef {import("../domain_steps.js").Step} Step */

const STEP_ICONS = { done: "check", current: "clock", failed: "bad", waiting: "dot" };

/**
 * @param {CustomDomain} domain
 * @param {boolean} isOpen its records are shown
 * @param {object} on
 * @param {(domain: CustomDomain) => void} on.change
 * @param {() => void} on.remove
 * @param {(isOpen: boolean) => void} on.toggle
 */
export function domainCard(domain, isOpen, on) {
  const status = statusOf(domain);
  const problem = problemText(domain);
  const records = h("details", { open: isOpen }, h("summary", {}, "DNS records"), h("div", { class: "stack-small" }, ...recordsOf(domain)));
  records.addEventListener("toggle", () => on.toggle(records.open));
  return h(
    "section",
    { class: "card domain", "aria-label": domain.domain },
    h("div", { class: "card-head" }, h("div", { class: "row" }, h("h2", {}, domain.domain), badge(status.kind, status.text)), actionsOf(domain, on)),
    h(
      "div",
      { class: "stack-small" },
      isLeaving(domain) ? null : h("ol", { class: "steps" }, ...stepsOf(domain).map(stepItem)),
      problem && notice(weightOf(domain), h("p", {}, problem)),
      domain.missing_since && notice("warn", h("p", {}, `The weekly check has failed since ${formatMoment(domain.missing_since)}. After 5 days of failed checks the domain is withdrawn.`)),
      isLeaving(domain) ? h("p", { class: "muted" }, "No request is served at the domain. Its set-up is being deleted, usually within 5 minutes.") : records,
      h("p", { class: "meta" }, checksText(domain)),
    ),
  );
}

/** @param {Step} step */
function stepItem({ title, state, text }) {
  const attributes = { class: `step step-${state}`, "aria-current": state === "current" && "step" };
  return h("li", attributes, h("span", { class: "step-mark" }, icon(STEP_ICONS[state])), h("span", {}, h("span", { class: "step-title" }, title), h("span", { class: "meta" }, text)));
}

/** @param {CustomDomain} domain */
function recordsOf(domain) {
  const cards = domain.records.map((record) => {
    const found = foundText(record, domain);
    return dnsRecord(record, RECORDS[record.purpose].title, RECORDS[record.purpose].purpose, badge(found.kind, found.text));
  });
  const more = domain.records.some(({ purpose }) => purpose === "certificate");
  const later = h("p", { class: "meta" }, "The record for the certificate appears here within minutes after the verification.");
  return more ? cards : [...cards, later];
}

/** @param {CustomDomain} domain */
function checksText({ checked_at: last, next_check_at: next }) {
  if (!last) return "The platform looks for no record until you verify the domain.";
  const checked = `Last check ${formatRelative(last)} (${formatMoment(last)})`;
  return next ? `${checked} · next check ${formatRelative(next)}` : checked;
}

/**
 * @param {CustomDomain} domain
 * @param {{ change: (domain: CustomDomain) => void, remove: () => void }} on
 */
function actionsOf(domain, on) {
  if (!may("domains:write")) return null;
  const path = `domains/${encodeURIComponent(domain.domain)}`;
  const verify = button(domain.status === "active" ? "Check now" : "Verify now", { iconName: "rotate", look: "plain" });
  verify.addEventListener("click", () => {
    void whileBusy(verify, async () => {
      try {
        /** @type {CustomDomain} */
        const checked = await request("POST", `${path}/verify`);
        if (checked.problem) announce(problemText(checked) ?? "");
        else toast("The records are there.");
        on.change(checked);
      } catch (error) {
        failureToast(error, "Not checked");
      }
    });
  });
  const remove = button("Remove", { look: "quiet", label: `Remove ${domain.domain}` });
  const warning = domain.status === "active" ? "No request is served at the domain from now on." : "The claim ends.";
  remove.addEventListener("click", () => {
    void destroyDialog({
      title: "Remove domain",
      name: domain.domain,
      before: [notice("warn", h("p", {}, `${warning} A later claim of the domain has other records. Delete the DNS records, too.`))],
      async work() {
        await request("DELETE", path);
        toast(`${domain.domain} is being removed.`);
        on.remove();
      },
    });
  });
  return h("div", { class: "row" }, isLeaving(domain) ? null : verify, domain.status === "removing" ? null : remove);
}
