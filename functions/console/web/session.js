/** The session of this tab: its member and its organization. */

import { ApiError, refreshSession, request, useTokens } from "./api.js";
import { inTurn } from "./session_lock.js";

/** @typedef {import("./types.d.ts").Me} Me */

const CHANNEL = "console-session";
const SIGNED_IN = "signed-in";
const SIGNED_OUT = "signed-out";
const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(CHANNEL);

const session = { me: /** @type {Me | null} */ (null) };

/** Return the organization that the URL names on a shared host: its id or subdomain. */
export function namedOrganization() {
  return new URLSearchParams(location.search).get("organization");
}

/** Tell whether the host names an organization. The server has written it into the page. */
export function hostNamesOrganization() {
  return document.querySelector('meta[name="host"]')?.getAttribute("content") !== "shared";
}

/** @returns {Me | null} */
export function currentMember() {
  return session.me;
}

/** @param {string | null} permission */
export function may(permission) {
  return permission === null || Boolean(session.me?.permissions.includes(permission));
}

/** Find the session of the cookie, and return its member. Null is none, or one of another organization than the URL's. */
export async function findSession() {
  if (!(await refreshSession())) return null;
  return readMember();
}

/** @returns {Promise<Me | null>} */
export async function readMember() {
  /** @type {Me} */
  const me = await request("GET", "me", { isOnce: true });
  if (!isNamed(me)) {
    forget();
    return null;
  }
  session.me = me;
  return me;
}

/**
 * Tell whether the URL names the organization of *me*, or none.
 * @param {Me} me
 */
export function isNamed({ organization }) {
  const named = namedOrganization()?.toLowerCase();
  return !named || named === organization.id || named === organization.subdomain;
}

/**
 * Sign in with a password.
 * @param {{ email: string, password: string, organization: string | null }} given
 */
export async function signIn({ email, password, organization }) {
  const body = { email, password, ...(organization ? { organization } : {}) };
  await begin("auth/token", body);
}

/**
 * Begin a session with a route that answers tokens.
 * @param {string} path
 * @param {Record<string, unknown>} body
 */
export async function begin(path, body) {
  await inTurn(async (signal) => useTokens(await request("POST", path, { isPublic: true, body, signal })));
  session.me = null; // until readMember has the member of this session
  channel?.postMessage(SIGNED_IN);
}

/** Sign out here and in the other tabs. An answer that never comes leaves the session to its end. */
export async function signOut() {
  await inTurn((signal) => request("POST", "auth/logout", { isPublic: true, body: {}, signal }));
  forget();
  channel?.postMessage(SIGNED_OUT);
}

/** Forget the member in this tab. */
export function forget() {
  useTokens(null);
  session.me = null;
}

/**
 * Call *listener* when another tab signs out.
 * @param {() => void} listener
 */
export function onSignOutElsewhere(listener) {
  listen(SIGNED_OUT, listener);
}

/**
 * Call *listener* when another tab signs in, until *signal*.
 * @param {() => void} listener
 * @param {AbortSignal} signal
 */
export function onSignInElsewhere(listener, signal) {
  listen(SIGNED_IN, listener, signal);
}

/**
 * Tell whether a refusal says that the request names no organization.
 * @param {unknown} error
 */
export function lacksOrganization(error) {
  return error instanceof ApiError && error.fields.some((each) => each.location === "body/organization");
}

/**
 * @param {string} message
 * @param {() => void} listener
 * @param {AbortSignal} [signal]
 */
function listen(message, listener, signal) {
  channel?.addEventListener("message", (event) => event.data === message && listener(), { signal });
}
