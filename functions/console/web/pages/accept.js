/** Accept an invitation with the token of its mail. */

import { actionForm, textField } from "../components/fields.js";
import { notice } from "../components/states.js";
import { pageLink, PASSWORD_HINT, passwordField } from "../doors.js";
import { fill, h } from "../dom.js";
import { forgetMailedToken, mailedToken } from "../mailed_token.js";
import { goTo } from "../router.js";
import { begin, readMember } from "../session.js";

/** @type {import("../types.d.ts").PublicPage} */
export const page = {
  title: "Accept the invitation",
  purpose: "Choose a name and a password. Then you are signed in.",
  show({ root }) {
    const given = mailedToken("accept");
    const token = textField({ name: "token", label: "Token", hint: "It is in the mail, and begins with ot_.", value: given ?? "" });
    token.element.hidden = given !== null;
    const name = textField({ name: "name", label: "Name", hint: "Other members see it.", autocomplete: "name" });
    const password = passwordField("Password", "new-password", PASSWORD_HINT);
    const form = actionForm({
      fields: [token, name, password],
      action: "Accept the invitation",
      async work() {
        const chosen = name.value().trim();
        const body = { token: token.value().trim(), password: password.value(), ...(chosen ? { name: chosen } : {}) };
        await begin("users/accept", body);
        forgetMailedToken();
        await readMember().catch(() => null); // the token is used: the next page asks for the member again
        goTo("usage", {}, true);
      },
    });
    const expired = "A link works once, for 7 days. If it is refused, ask an admin to send the invitation again.";
    fill(root, form.element, notice("info", expired), h("p", {}, pageLink("sign-in", "Sign in instead")));
  },
};
