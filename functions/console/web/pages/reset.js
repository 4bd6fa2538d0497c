/** Request a mail that sets a password, and set it with the token of that mail. */

import { request } from "../api.js";
import { button } from "../components/buttons.js";
import { actionForm, textField } from "../components/fields.js";
import { notice } from "../components/states.js";
import { pageLink, PASSWORD_HINT, passwordField } from "../doors.js";
import { fill, h } from "../dom.js";
import { hostNamesOrganization, lacksOrganization, namedOrganization } from "../session.js";
import { forgetMailedToken, mailedToken } from "../mailed_token.js";

/** @typedef {import("../types.d.ts").PublicView} PublicView */

/** @type {import("../types.d.ts").PublicPage} */
export const page = {
  title: "Set a password",
  purpose: "Request a mail with a link to set a password. The link is valid for one hour.",
  show(view) {
    const token = mailedToken("reset");
    if (token) showNewPassword(view, token);
    else showRequest(view);
  },
};

/** @param {PublicView} view */
function showRequest({ root }) {
  const organization = textField({
    name: "organization",
    label: "Organization",
    hint: "Its subdomain, such as acme.",
    value: namedOrganization() ?? "",
    autocomplete: "organization",
  });
  organization.element.hidden = hostNamesOrganization() && !namedOrganization();
  const email = textField({ name: "email", label: "E-mail address", type: "email", autocomplete: "username" });
  const form = actionForm({
    fields: [organization, email],
    action: "Send the mail",
    async work() {
      const named = organization.value().trim().toLowerCase();
      const body = { email: email.value(), ...(named ? { organization: named } : {}) };
      try {
        await request("POST", "auth/password-reset", { isPublic: true, body });
      } catch (error) {
        if (lacksOrganization(error)) organization.element.hidden = false;
        throw error;
      }
      const text = "If the address belongs to an active member, a mail is on its way. It can take a minute.";
      fill(root, notice("ok", text), h("p", {}, pageLink("sign-in", "Back to sign in")));
    },
  });
  const enter = button("I have a token", { look: "quiet", onClick: () => showNewPassword({ root }, null) });
  fill(root, form.element, h("div", { class: "row" }, pageLink("sign-in", "Back to sign in"), enter));
}

/**
 * @param {Pick<PublicView, "root">} view
 * @param {string | null} given the token of the link, which a page that is loaded again has lost
 */
function showNewPassword({ root }, given) {
  const token = textField({ name: "token", label: "Token", hint: "It is in the mail, and begins with ot_.", value: given ?? "" });
  token.element.hidden = given !== null;
  const password = passwordField("New password", "new-password", PASSWORD_HINT);
  const form = actionForm({
    fields: [token, password],
    action: "Set the password",
    async work() {
      const body = { token: token.value().trim(), password: password.value() };
      await request("POST", "auth/password-reset/confirm", { isPublic: true, body });
      forgetMailedToken();
      fill(root, notice("ok", "The password is set. All sessions have ended."), h("p", {}, pageLink("sign-in", "Sign in")));
    },
  });
  fill(root, form.element);
  (given === null ? token : password).input.focus();
}
