/** The danger zone: the deletion of the organization. */

import { request } from "../api.js";
import { fill, h } from "../dom.js";
import { DELETION_GRACE_DAYS, erasureDay } from "../deletion.js";
import { formatDay, formatDays, formatMoment } from "../format.js";
import { forget, may } from "../session.js";
import { button } from "./buttons.js";
import { destroyDialog } from "./destroy_dialog.js";
import { textField } from "./fields.js";
import { notice } from "./states.js";

/** @typedef {import("../types.d.ts").View} View */
/** @typedef {{ deleted_at: string, purge_at: string }} Deletion */

/** @param {View} view */
export function dangerCard(view) {
  const { name } = view.me.organization;
  const grace = `All data is erased ${formatDays(DELETION_GRACE_DAYS)} after the deletion. Until then the operator of the platform can restore the organization.`;
  const card = h("section", { class: "card danger stack-small", "aria-labelledby": "danger" }, h("h2", { id: "danger" }, "Delete the organization"), h("p", { class: "muted" }, grace));
  if (may("organization:delete")) {
    const ask = async () => {
      const deletion = await askForDeletion(view);
      if (deletion) showDeletion(view, deletion);
    };
    card.append(h("div", {}, button("Delete the organization", { look: "danger", onClick: () => void ask() })));
  } else {
    card.append(h("p", {}, `Your role may not delete ${name}. A super admin of your organization can, and so can the operator of the platform.`));
  }
  return card;
}

/**
 * Ask for reason and name, and delete the organization. Null is no.
 * @param {View} view
 * @returns {Promise<Deletion | null>}
 */
async function askForDeletion({ me }) {
  const { id, name } = me.organization;
  let deletion = /** @type {Deletion | null} */ (null);
  const day = formatDay(erasureDay(new Date()));
  const effects = [
    "Every key is refused from now on: events that apps send are lost.",
    "All members are signed out and cannot sign in. Each gets a mail.",
    `On ${day} all data is erased for good: events, usage, members, keys, the audit log.`,
    "Until that day the operator of the platform can restore the organization. This page cannot, because no member can sign in.",
  ];
  const reason = textField({ name: "reason", label: "Reason", hint: "The operator and the audit log get it.", more: { maxlength: 1_000 } });
  await destroyDialog({
    title: "Delete the organization",
    label: "Type the name of the organization",
    name,
    fields: [reason],
    before: [notice("bad", h("ul", { class: "bullets" }, ...effects.map((effect) => h("li", {}, effect))))],
    async work() {
      deletion = await request("DELETE", `organizations/${id}`, { body: { reason: reason.value() } });
    },
  });
  return deletion;
}

/**
 * Show the effects in place of the page. The session has ended with the deletion.
 * @param {View} view
 * @param {Deletion} deletion
 */
function showDeletion({ root, me }, { purge_at: purgeAt }) {
  forget();
  const heading = h("h2", { tabindex: "-1" }, `${me.organization.name} is deleted`);
  const erased = `All data is erased on ${formatMoment(purgeAt)}. Until then the operator of the platform can restore the organization: ask there to cancel the deletion.`;
  fill(root, h("div", { class: "state", role: "alert" }, heading, h("p", {}, erased), h("p", {}, `Quote the id ${me.organization.id}.`)));
  heading.focus();
}
