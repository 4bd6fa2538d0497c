/** The roles of members: their names, what each may do, and which ones a member may give. */

export const ROLES = /** @type {Record<string, string>} */ ({
  super_admin: "Super admin",
  admin: "Admin",
  analyst: "Analyst",
  viewer: "Viewer",
});
const MEANINGS = /** @type {Record<string, string>} */ ({
  super_admin: "Everything, also single sign-on and the deletion of the organization.",
  admin: "Everything but changes of single sign-on and the deletion of the organization.",
  analyst: "Reads events, usage, keys, members, apps, domains, single sign-on and the audit log. Changes nothing.",
  viewer: "Reads usage and statistics only.",
});
/** Each has all permissions of those after it. */
const ORDER = ["super_admin", "admin", "analyst", "viewer"];

/** @param {string} role */
export function roleName(role) {
  return ROLES[role] ?? role;
}

/** @param {string} role */
export function roleMeaning(role) {
  return MEANINGS[role] ?? "";
}

/**
 * Return the roles that a member with *role* may give.
 * @param {string} role
 */
export function rolesBelow(role) {
  const at = ORDER.indexOf(role);
  return at < 0 ? [] : ORDER.slice(at);
}

/**
 * Tell whether a member with *role* may change one with the role *other*.
 * @param {string} role
 * @param {string} other
 */
export function mayChange(role, other) {
  return rolesBelow(role).includes(other);
}
