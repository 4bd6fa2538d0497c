/** The dialog that claims a domain: a custom one, or one of e-mail addresses. */

import { request } from "../api.js";
import { h } from "../dom.js";
import { openDialog } from "./dialog.js";
import { actionForm, textField } from "./fields.js";

/**
 * @template Domain
 * @param {object} options
 * @param {string} options.title
 * @param {string} options.text
 * @param {string} options.hint
 * @param {string} options.path the route that takes the claim
 * @param {(domain: Domain) => void} options.onClaim
 */
export function claimDomain({ title, text, hint, path, onClaim }) {
  const field = textField({ name: "domain", label: "Domain", hint, more: { inputmode: "url", autocapitalize: "none" } });
  const form = actionForm({
    fields: [field],
    action: title,
    before: [h("p", {}, text)],
    async work() {
      /** @type {Domain} */
      const domain = await request("POST", path, { body: { domain: field.value().trim() } });
      dialog.close();
      onClaim(domain);
    },
  });
  const dialog = openDialog({ title, content: [h("div", { class: "dialog-body" }, form.element)] });
}
