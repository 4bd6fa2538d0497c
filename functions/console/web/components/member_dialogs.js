/** The dialogs of members: invite, change the role, disable, remove. */

import { request } from "../api.js";
import { idempotencyKeys } from "../attempts.js";
import { h } from "../dom.js";
import { roleMeaning, roleName, rolesBelow } from "../roles.js";
import { confirmDialog } from "./confirm_dialog.js";
import { destroyDialog } from "./destroy_dialog.js";
import { openDialog } from "./dialog.js";
import { actionForm, choiceGroup, textField } from "./fields.js";
import { notice } from "./states.js";
import { toast } from "./toast.js";

/** @typedef {import("../types.d.ts").Member} Member */

const FIRST_ROLE = "viewer";

/**
 * Ask for address and role, and invite.
 * @param {string} ownRole
 * @param {() => void} onChange
 */
export function inviteMember(ownRole, onChange) {
  const email = textField({ name: "email", label: "E-mail address", type: "email" });
  const role = roleChoices(ownRole, FIRST_ROLE);
  const keyOf = idempotencyKeys();
  const form = actionForm({
    fields: [email, role],
    action: "Send the invitation",
    before: [h("p", {}, "A mail with a link follows within a minute. The link works once, for 7 days.")],
    async work() {
      const body = { email: email.value().trim(), role: role.value() };
      const member = await request("POST", "users", { body, idempotencyKey: keyOf(body) });
      dialog.close();
      toast(`An invitation is on its way to ${member.email}.`);
      onChange();
    },
  });
  const dialog = openDialog({ title: "Invite a member", content: [h("div", { class: "dialog-body" }, form.element)] });
}

/**
 * Give another role. Members confirm a change of their own role. Resolves to whether the role was given.
 * @param {Member} member
 * @param {string} role
 * @param {boolean} isSelf
 */
export async function changeRole(member, role, isSelf) {
  async function give() {
    await request("PATCH", `users/${member.id}`, { body: { role } });
    toast(`${nameOf(member)} is ${roleName(role)}.`);
  }
  const self = notice("warn", h("p", {}, `You become ${roleName(role)}. You may be unable to undo the change.`));
  if (isSelf) return confirmDialog("Change the role", [self], "primary", give);
  await give();
  return true;
}

/**
 * Confirm that a member may no longer sign in. Resolves to whether it was done.
 * @param {Member} member
 */
export async function disableMember(member) {
  const text = `${nameOf(member)} is signed out everywhere and cannot sign in, until you let the member in again. The member still counts as a user.`;
  return confirmDialog("Disable the member", [h("p", {}, text)], "danger", async () => {
    await request("PATCH", `users/${member.id}`, { body: { status: "disabled" } });
    toast(`${nameOf(member)} is disabled.`);
  });
}

/**
 * Ask for the address, and remove a member.
 * @param {Member} member
 * @param {() => void} onChange
 */
export function removeMember(member, onChange) {
  const text = "The member is signed out everywhere. The name and the password are deleted. Keys that the member created go on working. A new invitation brings the member back.";
  void destroyDialog({
    title: "Remove the member",
    label: "Type the address",
    name: member.email,
    before: [notice("warn", h("p", {}, text))],
    async work() {
      await request("DELETE", `users/${member.id}`);
      toast(`${member.email} is removed.`);
      onChange();
    },
  });
}

/** @param {Member} member */
export function nameOf(member) {
  return member.name ?? member.email;
}

/**
 * @param {string} ownRole
 * @param {string} chosen
 */
function roleChoices(ownRole, chosen) {
  const choices = rolesBelow(ownRole).map((role) => /** @type {[string, string, string]} */ ([role, roleName(role), roleMeaning(role)]));
  return choiceGroup({ name: "role", label: "Role", type: "radio", choices: choices.reverse(), chosen: [chosen] });
}
