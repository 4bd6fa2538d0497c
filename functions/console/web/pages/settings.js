/** Settings: the organization, the member's own account, the rotation of keys, and the deletion. */

import { request } from "../api.js";
import { accountCards } from "../components/account_cards.js";
import { copyButton } from "../components/buttons.js";
import { dangerCard } from "../components/danger_card.js";
import { actionForm, textField } from "../components/fields.js";
import { upgradeLink } from "../components/places.js";
import { badge, loadInto, skeleton } from "../components/states.js";
import { toast } from "../components/toast.js";
import { h } from "../dom.js";
import { describeEntitlement, ENTITLEMENTS } from "../entitlements.js";
import { formatDay, formatDays } from "../format.js";
import { may } from "../session.js";

/** @typedef {import("../types.d.ts").View} View */
/** @typedef {import("../types.d.ts").OrganizationDetails} OrganizationDetails */

/** @type {import("../types.d.ts").Page} */
export const page = {
  title: "Settings",
  purpose: "Your organization, your own account, and the rotation of keys.",
  async show(view) {
    const place = h("div", {});
    view.root.append(h("div", { class: "stack settings" }, place, ...accountCards(view.me), dangerCard(view)));
    const { organization } = view.me;
    const load = async () => (may("organization:read") ? request("GET", "organizations/current", { signal: view.signal }) : null);
    const reload = loadInto({
      place,
      subject: "the organization",
      loading: skeleton("rows", 5),
      signal: view.signal,
      load: /** @type {() => Promise<OrganizationDetails | null>} */ (load),
      show: (details) => [organizationCard(details ?? organization, details), details && rotationCard(details, () => void reload())],
    });
    await reload();
  },
};

/**
 * @param {import("../types.d.ts").Organization} organization
 * @param {OrganizationDetails | null} details null without the permission
 */
function organizationCard({ id, name, subdomain, tier, status }, details) {
  /** @type {[string, import("../dom.js").Child | import("../dom.js").Child[]][]} */
  const facts = [
    ["Name", name],
    ["Subdomain", h("code", {}, subdomain)],
    ["Id", h("span", { class: "row" }, h("code", {}, id), copyButton(id, "Copy the id"))],
    ["Status", status === "active" ? badge("ok", "Active") : badge("warn", status)],
    ["Tier", h("span", { class: "row" }, h("span", { class: "tier" }, tier), upgradeLink(details?.upgrade_url))],
  ];
  if (details) {
    facts.push(["Since", formatDay(details.created_at)]);
    for (const entitlement of ENTITLEMENTS) facts.push([entitlement.title, describeEntitlement(entitlement, details.entitlements)]);
  }
  const rows = facts.flatMap(([title, value]) => [h("dt", {}, title), h("dd", {}, ...[value].flat())]);
  const change = h("p", { class: "meta" }, "The operator of the platform changes name, subdomain, tier and limits.");
  return h("section", { class: "card stack-small", "aria-labelledby": "the-organization" }, h("h2", { id: "the-organization" }, "Organization"), h("dl", { class: "facts" }, ...rows), change);
}

/**
 * @param {OrganizationDetails} organization
 * @param {() => void} onChange
 */
function rotationCard({ key_rotation_days: days }, onChange) {
  const head = h("h2", { id: "rotation" }, "Rotation of keys");
  const now = days === null ? "Keys have no rotation period." : `A key is to be rotated ${formatDays(days)} after it was created. It still works after that.`;
  const text = h("p", { class: "muted" }, now);
  const card = h("section", { class: "card stack-small", "aria-labelledby": "rotation" }, head, text);
  if (!may("keys:write")) {
    card.append(h("p", { class: "meta" }, "A member with the permission to write keys can change it."));
    return card;
  }
  const hint = "1 to 3,650 days. Empty is no rotation.";
  const more = { inputmode: "numeric", maxlength: 4 };
  const field = textField({ name: "key_rotation_days", label: "Days until a key is to be rotated", hint, value: days === null ? "" : String(days), more });
  const form = actionForm({
    fields: [field],
    action: "Save the rotation",
    async work() {
      const text = field.value().trim();
      if (!/^\d*$/.test(text)) return field.fault("Enter a whole number.");
      await request("PATCH", "organizations/current", { body: { key_rotation_days: text ? Number(text) : null } });
      toast(text ? `Keys are to be rotated after ${formatDays(Number(text))}.` : "Keys have no rotation period.");
      onChange();
    },
  });
  card.append(form.element);
  return card;
}
