/** The pages without a session: sign in, set a password, accept an invitation; and the dialog of an ended session. */

import { ApiError, refreshSession } from "./api.js";
import { button } from "./components/buttons.js";
import { openDialog } from "./components/dialog.js";
import { actionForm, textField } from "./components/fields.js";
import { liveRegions } from "./components/toast.js";
import { h } from "./dom.js";
import { emblem } from "./emblem.js";
import { themeSwitch } from "./frame.js";
import { addressOf, keepAddress } from "./router.js";
import { currentMember, onSignInElsewhere, readMember, signIn } from "./session.js";

/** @typedef {import("./administration.d.ts").Brand} Brand */

const SIGNED_IN = "signed in";
export const PASSWORD_HINT = "12 to 256 characters that are hard to guess.";

/**
 * Return the frame of a page without a session.
 * @param {string} title
 * @param {string} purpose
 * @param {Brand} brand
 */
export function buildDoor(title, purpose, brand) {
  const root = h("div", { class: "door-body" });
  const heading = h("h1", { tabindex: "-1" }, title);
  const card = h("div", { class: "card door-card" }, emblem(brand, "Console"), heading, h("p", { class: "purpose" }, purpose), root);
  const element = h("div", { class: "door" }, h("main", { id: "main" }, card), h("footer", {}, themeSwitch()), ...liveRegions());
  return { element, root, heading };
}

/**
 * Return a field for a password, with a button that shows it.
 * @param {string} label
 * @param {"current-password" | "new-password"} autocomplete
 * @param {string} [hint]
 * @param {string} [name] the member of the body
 */
export function passwordField(label, autocomplete, hint, name = "password") {
  const field = textField({ name, label, hint, type: "password", autocomplete, isRequired: true });
  const show = button("Show", { look: "quiet", label: `Show the ${label.toLowerCase()}` });
  show.setAttribute("aria-pressed", "false");
  show.addEventListener("click", () => {
    const isShown = field.input.getAttribute("type") === "text";
    field.input.setAttribute("type", isShown ? "password" : "text");
    show.setAttribute("aria-pressed", String(!isShown));
  });
  const line = h("div", { class: "password" });
  field.input.replaceWith(line);
  line.append(field.input, show);
  return field;
}

/**
 * Return a link to another page.
 * @param {string} page
 * @param {string} text
 * @param {Record<string, string>} [query]
 */
export function pageLink(page, text, query = {}) {
  return h("a", { href: addressOf(page, query) }, text);
}

/**
 * Ask to sign in when a session has ended. The page stays. Another tab may sign in, too, because all tabs share the
 * cookie. Resolves to whether there is a session of the same member again.
 */
export async function askToSignIn() {
  const me = currentMember();
  if (!me) return false;
  const password = passwordField("Password", "current-password");
  const account = h("p", {}, `Sign in again as ${me.email} to go on. What you have entered is kept.`);
  const elsewhere = h("a", { href: addressOf("sign-in"), target: "_blank", rel: "noopener" }, "Use single sign-on in a new tab");
  const form = actionForm({
    fields: [password],
    action: "Sign in",
    before: [account],
    async work() {
      try {
        await signIn({ email: me.email, password: password.value(), organization: me.organization.id });
      } catch (error) {
        if (needsSingleSignOn(error)) elsewhere.className = "button button-primary";
        throw error;
      }
      const isSame = (await readMember())?.id === me.id;
      dialog.close(isSame ? SIGNED_IN : "");
      if (!isSame) location.reload(); // this page must not act as another member
    },
  });
  const leave = h("a", { href: addressOf("sign-in", { next: keepAddress() }) }, "Leave this page");
  const goOn = h("p", { class: "hint" }, "After that, this page continues. If you leave this page instead, your entries are lost.");
  const ways = h("div", { class: "row" }, elsewhere, leave);
  const dialog = openDialog({
    title: "Your session has ended",
    content: [h("div", { class: "dialog-body" }, form.element, ways, goOn)],
    isPinned: true,
  });
  leave.addEventListener("click", () => dialog.close());
  const listening = new AbortController();
  onSignInElsewhere(() => void refreshSession().then((isBack) => isBack && dialog.close(SIGNED_IN), () => null), listening.signal);
  const result = await dialog.closed;
  listening.abort();
  return result === SIGNED_IN;
}

/**
 * Tell whether a refusal says that the organization takes no passwords.
 * @param {unknown} error
 */
export function needsSingleSignOn(error) {
  return error instanceof ApiError && error.code === "sso_required";
}
