/** The dialog that sets the connection for single sign-on. */

import { request } from "../api.js";
import { fill, h } from "../dom.js";
import { roleMeaning, ROLES, roleName } from "../roles.js";
import { currentMember } from "../session.js";
import { signInAddress } from "../single_sign_on.js";
import { bodyOf, serviceOf } from "../sso_body.js";
import { openDialog } from "./dialog.js";
import { copyLine } from "./dns_record.js";
import { actionForm, areaField, choiceGroup, selectField, textField } from "./fields.js";
import { toast } from "./toast.js";

/** @typedef {import("../administration.d.ts").Connection} Connection */
/** @typedef {import("../sso_body.js").Service} Service */

/**
 * Ask for the connection, and set it.
 * @param {Connection | null} connection the present one
 * @param {() => void} onChange
 */
export function setConnection(connection, onChange) {
  const type = choiceGroup({
    name: "type",
    label: "Provider",
    type: "radio",
    choices: [
      ["oidc", "OpenID Connect", "Such as Microsoft Entra ID, Google Workspace, Okta or Keycloak."],
      ["saml", "SAML 2.0", "For providers without OpenID Connect."],
    ],
    chosen: [connection?.type ?? "oidc"],
    onChange: () => adapt(),
  });
  const url = { type: "url", inputmode: "url" };
  const issuer = textField({ name: "issuer", label: "Issuer", hint: "The https URL, exactly as the provider has it.", value: connection?.issuer, more: url });
  const client = textField({ name: "client_id", label: "Client id", value: connection?.client_id });
  const secretHint = connection?.type === "oidc" ? "Leave it empty to keep the stored one." : "It is stored encrypted, and never shown.";
  const secret = textField({ name: "client_secret", label: "Client secret", hint: secretHint, type: "password", autocomplete: "new-password" });
  const metadataUrl = textField({ name: "metadata_url", label: "URL of the metadata", hint: "It is read again each day, so new certificates of the provider are known.", value: connection?.metadata_url ?? "", more: url });
  const metadata = areaField({ name: "metadata_xml", label: "Or the metadata itself", hint: "The XML document, at most 256 KiB." });
  const role = selectField({
    name: "default_role",
    label: "Role of new members",
    value: connection?.default_role ?? "viewer",
    choices: Object.keys(ROLES).reverse().map((each) => [each, `${roleName(each)}: ${roleMeaning(each)}`]),
  });
  const uris = areaField({
    name: "redirect_uris",
    label: "Pages that a sign-in may come back to",
    hint: "One URL a line. The first one given is this console.",
    value: (connection?.redirect_uris ?? [signInAddress()]).join("\n"),
  });
  const required = choiceGroup({
    name: "required",
    label: "Passwords",
    type: "checkbox",
    choices: [["yes", "Only single sign-on", "Passwords are refused, except those of super admins. A sign-in with such a password sends a mail to all super admins."]],
    chosen: connection?.required ? ["yes"] : [],
  });
  const register = h("dl", { class: "copy-lines" });
  let service = /** @type {Service | null} */ (null);
  const ofType = { oidc: [issuer, client, secret], saml: [metadataUrl, metadata] };

  function adapt() {
    for (const [name, fields] of Object.entries(ofType)) {
      for (const field of fields) field.element.hidden = type.value() !== name;
    }
    if (service) fill(register, ...serviceLines(type.value(), service));
  }
  adapt();
  void readService().then((found) => {
    service = found;
    adapt();
  });
  const note = h("section", { class: "stack-small" }, h("h3", {}, "Register at the provider"), register);
  const form = actionForm({
    fields: [type, issuer, client, secret, metadataUrl, metadata, role, uris, required],
    groups: [type.element, note, ...[issuer, client, secret, metadataUrl, metadata, role, uris, required].map((field) => field.element)],
    action: connection ? "Change the connection" : "Connect the provider",
    async work() {
      const body = bodyOf({
        type: type.value(),
        issuer: issuer.value(),
        client_id: client.value(),
        client_secret: secret.value(),
        metadata_url: metadataUrl.value(),
        metadata_xml: metadata.value(),
        default_role: role.value(),
        redirect_uris: uris.value(),
        required: required.values().length > 0,
      });
      await request("PUT", "sso", { body });
      dialog.close();
      toast("The connection is set.");
      onChange();
    },
  });
  const title = connection ? "Change the connection" : "Connect a provider";
  const dialog = openDialog({ title, content: [h("div", { class: "dialog-body" }, form.element)], isWide: true });
}

/**
 * Read the values to register at the provider. Without an answer it appears on the page once the connection is set.
 * @returns {Promise<Service | null>}
 */
async function readService() {
  const id = currentMember()?.organization.id ?? "";
  const metadata = await request("GET", "auth/sso/metadata", { isPublic: true, query: { organization: id } }).catch(() => "");
  return serviceOf(String(metadata), id);
}

/**
 * @param {string} type
 * @param {Service} service
 */
function serviceLines(type, { redirectUri, entityId, answersUrl }) {
  const subject = "the platform";
  if (type === "oidc") return copyLine("Redirect URI", redirectUri, subject);
  return [...copyLine("Entity id", entityId, subject), ...copyLine("URL for answers (ACS)", answersUrl, subject)];
}
