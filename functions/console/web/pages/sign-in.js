/** Sign in: with a password, or with the organization's provider. */

import { begin, hostNamesOrganization, lacksOrganization, namedOrganization, readMember, signIn } from "../session.js";
import { button, whileBusy } from "../components/buttons.js";
import { actionForm, textField } from "../components/fields.js";
import { notice } from "../components/states.js";
import { needsSingleSignOn, pageLink, passwordField } from "../doors.js";
import { fill, h } from "../dom.js";
import { goBackTo, setQuery } from "../router.js";
import { startSingleSignOn, takeProviderAnswer, takeVerifier } from "../single_sign_on.js";

/** @typedef {import("../types.d.ts").PublicView} PublicView */

/** @type {import("../types.d.ts").PublicPage} */
export const page = {
  title: "Sign in",
  purpose: "See and manage the usage, the keys and the people of your organization.",
  async show(view) {
    const answer = takeProviderAnswer();
    if (answer) await finishSingleSignOn(view, answer.code);
    else showForm(view);
  },
};

/**
 * @param {PublicView} view
 * @param {Node | null} [above]
 */
function showForm({ root, query }, above = null) {
  const next = query.get("next");
  const organization = textField({
    name: "organization",
    label: "Organization",
    hint: "Its subdomain, such as acme.",
    value: namedOrganization() ?? "",
    autocomplete: "organization",
  });
  organization.element.hidden = hostNamesOrganization() && !namedOrganization();
  const email = textField({ name: "email", label: "E-mail address", type: "email", autocomplete: "username" });
  const password = passwordField("Password", "current-password");
  const refusal = h("div", { role: "alert" });
  const single = button("Use single sign-on", { onClick: () => void whileBusy(single, start) });
  async function start() {
    fill(refusal);
    const text = await startSingleSignOn(named(), email.value(), next);
    if (text) fill(refusal, notice("bad", text));
  }
  const named = () => organization.value().trim().toLowerCase() || null;

  const form = actionForm({
    fields: [organization, email, password],
    action: "Sign in",
    before: above ? [above] : [],
    async work() {
      try {
        await signIn({ email: email.value(), password: password.value(), organization: named() });
      } catch (error) {
        if (lacksOrganization(error)) organization.element.hidden = false;
        if (needsSingleSignOn(error)) single.classList.add("button-primary");
        throw error;
      }
      setQuery({ organization: named() });
      await readMember();
      goBackTo(next);
    },
  });
  const links = h("div", { class: "row" }, single, pageLink("reset", "Forgot the password?"));
  fill(root, form.element, refusal, links);
  (organization.element.hidden || organization.value() ? email : organization).input.focus();
}

/**
 * @param {PublicView} view
 * @param {string | null} code
 */
async function finishSingleSignOn(view, code) {
  const kept = takeVerifier();
  setQuery({ organization: kept?.organization ?? namedOrganization() });
  const refused = "Single sign-on has failed. Start it again, or sign in with a password.";
  if (!code || !kept) return showForm(view, notice("bad", refused));
  try {
    await begin("auth/sso/token", { code, code_verifier: kept.verifier });
    await readMember();
  } catch (error) {
    return showForm(view, notice("bad", error instanceof Error ? error.message : refused));
  }
  goBackTo(kept.next);
}
