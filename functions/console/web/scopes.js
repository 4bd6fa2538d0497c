/** The permissions of keys in words. */

/** @type {Record<string, string>} */
const WORDS = {
  "apps:read": "Read apps",
  "apps:write": "Create, change and delete apps",
  "audit:read": "Read the audit log",
  "branding:write": "Change the branding",
  "domains:read": "Read the custom domains",
  "domains:write": "Claim, verify and remove custom domains",
  "erasures:write": "Erase data subjects",
  "events:read": "Read stored events",
  "events:write": "Send events",
  "exports:write": "Export all data",
  "keys:read": "Read keys, never their texts",
  "keys:write": "Create, rotate and revoke keys",
  "organization:delete": "Delete the organization",
  "organization:read": "Read the organization",
  "sso:read": "Read the connection for single sign-on",
  "sso:write": "Change the connection for single sign-on",
  "stats:read": "Read statistics",
  "usage:read": "Read usage and quotas",
  "usage:write": "Report usage",
  "users:read": "Read members",
  "users:write": "Invite, change and remove members",
};
/** A new key has these unless its creator chooses others. They read figures. */
const FIRST = ["stats:read", "usage:read"];
/** "Select all" leaves these out: each can give or take rights. */
const STRONG = ["organization:delete", "users:write", "keys:write", "sso:write"];

/** @param {string} scope */
export function scopeText(scope) {
  return WORDS[scope] ?? scope;
}

/**
 * Return the choices for the scopes of a secret key, those that are chosen at first, and those of "Select all".
 * @param {string[]} permissions of the member
 * @returns {{ choices: [string, string, string][], chosen: string[], usual: string[] }}
 */
export function scopeChoices(permissions) {
  return {
    choices: permissions.map((scope) => [scope, scopeText(scope), scope]),
    chosen: permissions.filter((scope) => FIRST.includes(scope)),
    usual: permissions.filter((scope) => !STRONG.includes(scope)),
  };
}
