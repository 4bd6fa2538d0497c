/** The e-mail domains of an organization: claim, prove by a DNS record, remove. */

import { request, requestAll } from "../api.js";
import { problemText } from "../domain_steps.js";
import { h } from "../dom.js";
import { formatDay, formatMoment } from "../format.js";
import { may } from "../session.js";
import { button, whileBusy } from "./buttons.js";
import { claimDomain } from "./claim_dialog.js";
import { destroyDialog } from "./destroy_dialog.js";
import { dnsRecord } from "./dns_record.js";
import { failureToast } from "./failure_toast.js";
import { badge, emptyState, loadInto, notice, skeleton } from "./states.js";
import { toast } from "./toast.js";

/** @typedef {import("../administration.d.ts").EmailDomain} EmailDomain */

const PURPOSE = "Proves that the domain is yours. Keep it: the platform looks for it each week.";

/**
 * Return the section of e-mail domains, which loads them.
 * @param {AbortSignal} signal
 */
export function emailDomains(signal) {
  const list = h("div", {});
  /** The last check of each domain: lists do not have it. */
  const checks = /** @type {Map<string, EmailDomain>} */ (new Map());
  const reload = loadInto({
    place: list,
    subject: "the e-mail domains",
    loading: skeleton("rows", 2),
    signal,
    load: async () => /** @type {EmailDomain[]} */ (await requestAll("sso/email-domains", { signal })),
    show: (domains) =>
      domains.length > 0
        ? h("div", { class: "stack-small" }, ...domains.map((domain) => domainItem(domain, checks, () => void reload())))
        : emptyState("No e-mail domains yet", "A new person with an address of a verified domain becomes a member at the first sign-in."),
  });

  function addButton() {
    if (!may("sso:write")) return null;
    const onClick = () =>
      claimDomain({
        title: "Add e-mail domain",
        text: "Claim the part of your addresses behind the @. Then create the TXT record, and verify the domain.",
        hint: "Such as acme.example. A subdomain is a domain of its own.",
        path: "sso/email-domains",
        onClaim: () => void reload(),
      });
    return button("Add e-mail domain", { iconName: "plus", onClick });
  }
  void reload();
  const head = h("div", { class: "card-head" }, h("h2", {}, "E-mail domains"), addButton());
  return h("section", { class: "card", "aria-label": "E-mail domains" }, head, list);
}

/**
 * @param {EmailDomain} domain
 * @param {Map<string, EmailDomain>} checks
 * @param {() => void} onChange
 */
function domainItem(domain, checks, onChange) {
  const isVerified = domain.status === "verified";
  const problem = problemText(checks.get(domain.id) ?? {});
  const state = isVerified ? badge("ok", `Verified on ${formatDay(domain.verified_at ?? domain.created_at)}`) : badge("warn", "Not verified");
  const record = dnsRecord(domain.record, "TXT record", PURPOSE);
  return h(
    "article",
    { class: "email-domain", "aria-label": domain.domain },
    h("div", { class: "card-head" }, h("div", { class: "row" }, h("h3", {}, domain.domain), state), actionsOf(domain, checks, onChange)),
    h(
      "div",
      { class: "stack-small" },
      problem && !isVerified && notice("warn", h("p", {}, problem)),
      domain.missing_since && notice("warn", h("p", {}, `The TXT record has been missing since ${formatMoment(domain.missing_since)}. After 5 days without it the domain is unverified.`)),
      h("details", { open: !isVerified }, h("summary", {}, "DNS record"), record),
    ),
  );
}

/**
 * @param {EmailDomain} domain
 * @param {Map<string, EmailDomain>} checks
 * @param {() => void} onChange
 */
function actionsOf(domain, checks, onChange) {
  if (!may("sso:write")) return null;
  const path = `sso/email-domains/${encodeURIComponent(domain.domain)}`;
  const verify = button("Verify", { iconName: "rotate", label: `Verify ${domain.domain}` });
  verify.addEventListener("click", () => {
    void whileBusy(verify, async () => {
      try {
        /** @type {EmailDomain} */
        const checked = await request("POST", `${path}/verify`);
        checks.set(checked.id, checked);
        if (!checked.problem) toast(`${checked.domain} is verified.`);
        onChange();
      } catch (error) {
        failureToast(error, "Not verified");
      }
    });
  });
  const onRemove = () =>
    void destroyDialog({
      title: "Remove e-mail domain",
      name: domain.domain,
      before: [notice("warn", h("p", {}, "New people with an address of the domain become members only by an invitation. A later claim has another record."))],
      async work() {
        await request("DELETE", path);
        toast(`${domain.domain} is removed.`);
        onChange();
      },
    });
  return h("div", { class: "row" }, verify, button("Remove", { look: "quiet", label: `Remove ${domain.domain}`, onClick: onRemove }));
}
