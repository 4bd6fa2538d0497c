/** The member and the organization of an access token, which its claims name. */

/**
 * Return a text that is equal for tokens of the same member of the same organization.
 * @param {string} token
 */
export function ownerOf(token) {
  const payload = token.split(".")[1] ?? "";
  const claims = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
  return `${claims.organization_id} ${claims.sub}`;
}
