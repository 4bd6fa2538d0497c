/** The body of PUT /v1/sso from the fields of its form, and the values to register at a provider. Pure functions. */

/**
 * @typedef {object} Entered
 * @property {string} type
 * @property {string} issuer
 * @property {string} client_id
 * @property {string} client_secret
 * @property {string} metadata_url
 * @property {string} metadata_xml
 * @property {string} default_role
 * @property {string} redirect_uris one a line
 * @property {boolean} required
 */

/**
 * Return the members of the type alone. An empty secret is left out: the stored one stays.
 * @param {Entered} entered
 */
export function bodyOf(entered) {
  const shared = {
    type: entered.type,
    default_role: entered.default_role,
    required: entered.required,
    redirect_uris: linesOf(entered.redirect_uris),
  };
  if (entered.type === "saml") {
    const { metadata_url: url, metadata_xml: document } = entered;
    return { ...shared, ...present({ metadata_url: url.trim(), metadata_xml: document.trim() }) };
  }
  const { issuer, client_id: client, client_secret: secret } = entered;
  return { ...shared, issuer: issuer.trim(), client_id: client.trim(), ...present({ client_secret: secret }) };
}

/** @param {string} text */
export function linesOf(text) {
  return text
    .split(/\s+/)
    .map((line) => line.trim())
    .filter(Boolean);
}

/** @param {Record<string, string>} members */
function present(members) {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value));
}

/** @typedef {{ redirectUri: string, entityId: string, answersUrl: string }} Service */

/**
 * Return the values to register at a provider, from the metadata of the platform. Null: they are of another form.
 * @param {string} metadata
 * @param {string} organizationId
 * @returns {Service | null}
 */
export function serviceOf(metadata, organizationId) {
  const entityId = /\bentityID="([^"<>&]+)"/.exec(metadata)?.[1];
  const answersUrl = /\bLocation="(https?:[^"<>&]+\/auth\/sso\/acs)"/.exec(metadata)?.[1];
  if (!entityId || !answersUrl) return null;
  return { entityId, answersUrl, redirectUri: answersUrl.replace(/acs$/, `callback/${organizationId}`) };
}
