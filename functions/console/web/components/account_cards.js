/** The cards of a member's own account: name, password, sessions. */

import { request } from "../api.js";
import { PASSWORD_HINT, passwordField } from "../doors.js";
import { h } from "../dom.js";
import { roleName } from "../roles.js";
import { goTo } from "../router.js";
import { signOut } from "../session.js";
import { button } from "./buttons.js";
import { confirmDialog } from "./confirm_dialog.js";
import { actionForm, textField } from "./fields.js";
import { toast } from "./toast.js";

/** @typedef {import("../types.d.ts").Me} Me */

/**
 * @param {Me} me
 * @returns {Node[]}
 */
export function accountCards(me) {
  return [nameCard(me), passwordCard(), sessionsCard()];
}

/** @param {Me} me */
function nameCard(me) {
  const name = textField({ name: "name", label: "Name", hint: "Other members see it.", value: me.name ?? "", autocomplete: "name", more: { maxlength: 255 } });
  const form = actionForm({
    fields: [name],
    action: "Save the name",
    async work() {
      const saved = await request("PATCH", "me", { body: { name: name.value() } });
      me.name = saved.name;
      for (const shown of document.querySelectorAll(".account-name")) shown.textContent = saved.name;
      toast("The name is saved.");
    },
  });
  return card("Your account", h("p", { class: "muted" }, `${me.email} · ${roleName(me.role)}`), form.element);
}

function passwordCard() {
  const present = passwordField("Present password", "current-password", undefined, "current_password");
  const next = passwordField("New password", "new-password", PASSWORD_HINT);
  const form = actionForm({
    fields: [present, next],
    action: "Change the password",
    async work() {
      await request("PATCH", "me", { body: { current_password: present.value(), password: next.value() } });
      for (const { input } of [present, next]) /** @type {HTMLInputElement} */ (input).value = "";
      toast("The password is changed. Your other sessions have ended.");
    },
  });
  return card("Password", h("p", { class: "muted" }, "A new password ends all your other sessions."), form.element);
}

function sessionsCard() {
  const text = "You are signed out in this browser, in all others, and in all programs that use your password.";
  const ask = async () => {
    const done = await confirmDialog("Sign out everywhere", [h("p", {}, text)], "danger", async () => {
      await request("POST", "auth/logout-all");
      await signOut();
    });
    if (done) goTo("sign-in");
  };
  const opener = button("Sign out everywhere", { onClick: () => void ask() });
  return card("Sessions", h("p", { class: "muted" }, "End all your sessions, if a device is lost or a stranger may know your password."), h("div", {}, opener));
}

/**
 * @param {string} title
 * @param {...Node} content
 */
function card(title, ...content) {
  return h("section", { class: "card stack-small", "aria-label": title }, h("h2", {}, title), ...content);
}
