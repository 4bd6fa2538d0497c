/** The pages of the console, in the order of the navigation. The file of each is in the folder `pages`. */

import { may } from "./session.js";

/** @typedef {import("./types.d.ts").Entry} Entry */

/** @type {Entry[]} */
const ENTRIES = [
  { name: "usage", title: "Usage", letter: "u", icon: "usage", needs: "usage:read" },
  { name: "events", title: "Events", letter: "e", icon: "events", needs: "events:read" },
  { name: "keys", title: "Keys", letter: "k", icon: "keys", needs: "keys:read" },
  { name: "members", title: "Members", letter: "m", icon: "members", needs: "users:read" },
  { name: "apps", title: "Apps", letter: "a", icon: "apps", needs: "apps:read" },
  { name: "branding", title: "Branding", letter: "b", icon: "branding", needs: "branding:write" },
  { name: "domains", title: "Domains", letter: "d", icon: "domains", needs: "domains:read" },
  { name: "sign-on", title: "Sign-on", letter: "o", icon: "signon", needs: "sso:read" },
  { name: "audit", title: "Audit", letter: "l", icon: "audit", needs: "audit:read" },
  { name: "privacy", title: "Privacy", letter: "p", icon: "privacy", needs: "exports:write" },
  { name: "settings", title: "Settings", letter: "s", icon: "settings", needs: null },
];
const PUBLIC = ["sign-in", "reset", "accept"];
const listed = document.querySelector('meta[name="pages"]')?.getAttribute("content") ?? "{}";
/** @type {Record<string, string>} */
const files = JSON.parse(listed);

/** @param {string} name */
export function isPublicPage(name) {
  return PUBLIC.includes(name);
}

/**
 * Tell whether a name is that of a page which needs a session.
 * @param {string} name
 */
export function isMemberPage(name) {
  return Object.hasOwn(files, name) && !isPublicPage(name);
}

/** Return the entries that the member may open. */
export function listEntries() {
  return ENTRIES.filter((entry) => files[entry.name] && may(entry.needs));
}

/**
 * Return the permission that a page needs and the member lacks, or null.
 * @param {string} name
 */
export function missingPermission(name) {
  const needed = ENTRIES.find((entry) => entry.name === name)?.needs ?? null;
  return may(needed) ? null : needed;
}

/**
 * Load a page. Null is an unknown one.
 * @param {string} name
 * @returns {Promise<any>}
 */
export async function loadPage(name) {
  if (!Object.hasOwn(files, name)) return null;
  const module = await import(new URL(files[name], import.meta.url).href);
  return module.page;
}
