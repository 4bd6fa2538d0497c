/** The start of single sign-on, and the values that this tab keeps until the provider sends the browser back (RFC 7636). */

import { addressOf } from "./router.js";
import { hostNamesOrganization } from "./session.js";

/** @typedef {{ verifier: string, next: string | null, organization: string | null }} Kept */
/** @typedef {{ code: string | null }} ProviderAnswer a refusal has no code */

const STORED = "console-single-sign-on";
const START = new URL("../auth/sso/start", import.meta.url);
const VERIFIER_BYTES = 48;
const ANSWER = ["code", "error"];

let answer = /** @type {ProviderAnswer | null} */ (null);

/** Take the answer of the provider out of the URL and of the history. */
export function keepProviderAnswer() {
  const url = new URL(location.href);
  if (!ANSWER.some((name) => url.searchParams.get(name))) return;
  answer = { code: url.searchParams.get("code") };
  for (const name of ANSWER) url.searchParams.delete(name);
  history.replaceState(null, "", url);
}

/** Tell whether the provider has sent the browser here. */
export function hasProviderAnswer() {
  return answer !== null;
}

/** Return the answer of the provider, once. */
export function takeProviderAnswer() {
  const taken = answer;
  answer = null;
  return taken;
}

/**
 * Go to the provider. Its answer comes back to the page `sign-in`. Resolves to the refusal in words, if there is one.
 * @param {string | null} organization
 * @param {string} email
 * @param {string | null} next
 */
export async function startSingleSignOn(organization, email, next) {
  const verifier = encode(crypto.getRandomValues(new Uint8Array(VERIFIER_BYTES)));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  sessionStorage.setItem(STORED, JSON.stringify({ verifier, next, organization }));
  const url = new URL(START);
  url.searchParams.set("redirect_uri", signInAddress());
  url.searchParams.set("code_challenge", encode(new Uint8Array(digest)));
  if (organization) url.searchParams.set("organization", organization);
  if (email.includes("@")) url.searchParams.set("email", email);
  const refusal = hostNamesOrganization() ? null : await findRefusal(url);
  if (!refusal) location.assign(url);
  return refusal;
}

/**
 * Ask for the start without going there, so that a refusal is shown on this page. The start on an organization's own
 * host only leads to that on the API's host, so it never refuses.
 * @param {URL} url
 */
async function findRefusal(url) {
  const response = await fetch(url, { redirect: "manual" }).catch(() => null);
  if (response === null) return "The server cannot be reached.";
  if (response.type === "opaqueredirect") return null;
  const problem = await response.json().catch(() => ({}));
  return String(problem.detail ?? "Single sign-on cannot be started.");
}

/** Return the redirect URI of the console, which a connection for single sign-on lists. */
export function signInAddress() {
  const url = new URL(addressOf("sign-in"));
  url.search = "";
  return url.href;
}

/**
 * Return the values that the start has kept, once.
 * @returns {Kept | null}
 */
export function takeVerifier() {
  const kept = sessionStorage.getItem(STORED);
  sessionStorage.removeItem(STORED);
  return kept ? JSON.parse(kept) : null;
}

/** @param {Uint8Array} bytes */
function encode(bytes) {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
