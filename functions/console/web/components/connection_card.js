/** The connection for single sign-on: its facts, and the values to register at the provider. */

import { request } from "../api.js";
import { h } from "../dom.js";
import { formatDay, formatMoment } from "../format.js";
import { roleName } from "../roles.js";
import { may } from "../session.js";
import { button } from "./buttons.js";
import { destroyDialog } from "./destroy_dialog.js";
import { setConnection } from "./connection_dialog.js";
import { copyLine } from "./dns_record.js";
import { badge, emptyState, notice } from "./states.js";
import { toast } from "./toast.js";

/** @typedef {import("../administration.d.ts").Connection} Connection */

const TYPES = { oidc: "OpenID Connect", saml: "SAML 2.0" };

/**
 * @param {Connection | null} connection
 * @param {() => void} onChange
 */
export function connectionCard(connection, onChange) {
  const edit = () => setConnection(connection, onChange);
  if (!connection) {
    const action = may("sso:write") ? button("Connect a provider", { look: "primary", onClick: edit }) : null;
    const text = "Members sign in with the provider of your company: OpenID Connect or SAML 2.0. Passwords work until you switch them off.";
    return emptyState("No connection yet", text, action);
  }
  const actions = may("sso:write")
    ? h("div", { class: "row" }, button("Change", { onClick: edit, label: "Change the connection" }), removeButton(connection, onChange))
    : null;
  return h(
    "section",
    { class: "card", "aria-label": "Connection" },
    h("div", { class: "card-head" }, h("div", { class: "row" }, h("h2", {}, TYPES[connection.type]), requiredBadge(connection)), actions),
    h(
      "div",
      { class: "columns" },
      h("section", { class: "stack-small" }, h("h3", {}, "Register at the provider"), h("dl", { class: "copy-lines" }, ...toRegister(connection).flat())),
      h("section", { class: "stack-small" }, h("h3", {}, "Settings"), h("dl", { class: "facts facts-narrow" }, ...facts(connection).flat())),
    ),
  );
}

/** @param {Connection} connection */
function requiredBadge({ required }) {
  return required ? badge("ok", "Passwords are off") : badge("info", "Passwords work beside it");
}

/** @param {Connection} connection */
function toRegister(connection) {
  const subject = "the connection";
  if (connection.type === "oidc") return [copyLine("Redirect URI", connection.callback_url ?? "", subject)];
  return [
    copyLine("Entity id", connection.service_entity_id ?? "", subject),
    copyLine("URL for answers (ACS)", connection.acs_url ?? "", subject),
  ];
}

/** @param {Connection} connection */
function facts(connection) {
  const own =
    connection.type === "oidc"
      ? [fact("Issuer", connection.issuer ?? ""), fact("Client id", connection.client_id ?? "")]
      : [
          fact("Provider", connection.entity_id ?? ""),
          fact("Sign-in page", connection.sign_in_url ?? ""),
          fact("Metadata", connection.metadata_url ?? "sent as a document"),
          fact("Certificates", (connection.certificates ?? []).map(certificateText).join(", ")),
        ];
  return [
    ...own,
    fact("Role of new members", roleName(connection.default_role)),
    fact("May come back to", connection.redirect_uris.join("\n")),
    fact("Changed", formatMoment(connection.updated_at)),
  ];
}

/**
 * @param {string} term
 * @param {string} text
 */
function fact(term, text) {
  return [h("dt", {}, term), h("dd", {}, text)];
}

/** @param {{ sha256: string, expires_at: string }} certificate */
function certificateText({ sha256, expires_at: end }) {
  const verb = Date.parse(end) > Date.now() ? "expires" : "has expired";
  return `${sha256.slice(0, 12)}… ${verb} on ${formatDay(end)}`;
}

/**
 * @param {Connection} connection
 * @param {() => void} onChange
 */
function removeButton(connection, onChange) {
  const name = TYPES[connection.type];
  const onClick = () =>
    void destroyDialog({
      title: "Remove connection",
      name,
      before: [notice("warn", h("p", {}, "Single sign-on ends at once, and passwords work again. Each member without a password gets a mail to set one."))],
      async work() {
        await request("DELETE", "sso");
        toast("The connection is removed.");
        onChange();
      },
    });
  return button("Remove", { look: "quiet", label: "Remove the connection", onClick });
}
