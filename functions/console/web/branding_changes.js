/** The changes that a form makes to the branding. Pure functions. */

import { COLOR_NAMES, VARIABLES } from "./brand_values.js";

/** @typedef {import("./administration.d.ts").StoredBranding} StoredBranding */
/** @typedef {Record<string, string>} Entered by the names of fields */

const VARIABLE = "css_variables/";
const TEXTS = /** @type {const} */ ([...COLOR_NAMES, "sender_name", "sender_address"]);
const IMAGES = /** @type {const} */ (["logo_url", "favicon_url"]);
/** The value of an image's field that removes the image. */
export const REMOVED = "-";

/** @param {string} name */
export function variableField(name) {
  return `${VARIABLE}${name}`;
}

/**
 * Return the body of PUT /v1/branding: the members that differ from the stored ones. Null removes a value.
 * @param {Entered} entered
 * @param {StoredBranding} stored
 */
export function changesOf(entered, stored) {
  /** @type {Record<string, unknown>} */
  const body = {};
  for (const name of TEXTS) {
    const text = (entered[name] ?? "").trim();
    const value = name.endsWith("_color") ? text.toLowerCase() : text;
    if (value !== (stored[name] ?? "")) body[name] = text || null;
  }
  for (const name of IMAGES) {
    const text = (entered[name] ?? "").trim();
    if (text) body[name] = text === REMOVED ? null : text;
  }
  const variables = changedVariables(entered, stored);
  if (Object.keys(variables).length > 0) body.css_variables = variables;
  return body;
}

/**
 * @param {Entered} entered
 * @param {StoredBranding} stored
 */
function changedVariables(entered, stored) {
  /** @type {Record<string, string | null>} */
  const changed = {};
  for (const { name } of VARIABLES) {
    const text = (entered[variableField(name)] ?? "").trim();
    if (text !== (stored.css_variables[name] ?? "")) changed[name] = text || null;
  }
  return changed;
}

/**
 * Return the brand that a form describes, for its preview. Images are the stored ones.
 * @param {Entered} entered
 * @param {StoredBranding} stored
 */
export function draftOf(entered, stored) {
  const variables = VARIABLES.map(({ name }) => [name, (entered[variableField(name)] ?? "").trim()]);
  return {
    primary_color: entered.primary_color?.trim(),
    secondary_color: entered.secondary_color?.trim(),
    accent_color: entered.accent_color?.trim(),
    css_variables: Object.fromEntries(variables),
    logo_url: entered.logo_url === REMOVED ? null : stored.logo_url,
    favicon_url: entered.favicon_url === REMOVED ? null : stored.favicon_url,
  };
}

/** @type {Record<StoredBranding["sender_state"], { kind: "ok" | "warn" | "info" | "off", text: string }>} */
export const SENDER_STATES = {
  not_set: { kind: "off", text: "Mails come from the platform's address" },
  domain_not_verified: { kind: "warn", text: "Verify the domain under Sign-on. Until then mails come from the platform's address" },
  identity_not_verified: { kind: "warn", text: "The platform may not send from it yet. Ask its operator" },
  unknown: { kind: "info", text: "It is not known at the moment whether mails come from it" },
  active: { kind: "ok", text: "Mails come from it" },
};
