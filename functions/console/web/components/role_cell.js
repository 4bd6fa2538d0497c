/** The role of a member: a list to choose from, and the button that gives the chosen role. */

import { fill, freshId, h } from "../dom.js";
import { mayChange, roleMeaning, roleName, rolesBelow } from "../roles.js";
import { may } from "../session.js";
import { button, whileBusy } from "./buttons.js";
import { failureToast } from "./failure_toast.js";
import { changeRole, nameOf } from "./member_dialogs.js";

/** @typedef {import("../types.d.ts").Me} Me */
/** @typedef {import("../types.d.ts").Member} Member */

/**
 * Return the role, with a list if the member may change it. A choice alone changes nothing, because arrow keys choose.
 * @param {Member} member
 * @param {Me} me
 * @param {() => void} onChange
 */
export function roleCell(member, me, onChange) {
  if (!may("users:write") || !mayChange(me.role, member.role)) return h("span", { title: roleMeaning(member.role) }, roleName(member.role));
  const options = rolesBelow(me.role).map((role) => h("option", { value: role, selected: role === member.role }, roleName(role)));
  const select = h("select", { class: "role-select", "aria-label": `Role of ${nameOf(member)}`, title: roleMeaning(member.role) }, ...options);
  const meaning = h("p", { class: "meta", id: freshId("meaning") });
  const give = button("Change the role", { onClick: () => void whileBusy(give, change) });
  give.setAttribute("aria-describedby", meaning.id);
  const chosen = h("div", { class: "stack-tiny", hidden: true }, meaning, give);
  select.addEventListener("change", show);

  function show() {
    chosen.hidden = select.value === member.role;
    fill(meaning, `${roleName(select.value)}: ${roleMeaning(select.value)}`);
  }

  async function change() {
    try {
      if (!(await changeRole(member, select.value, member.id === me.id))) return;
      select.focus();
      onChange();
    } catch (error) {
      failureToast(error, "Not changed");
    }
  }
  return h("div", { class: "stack-tiny role-cell" }, select, chosen);
}
