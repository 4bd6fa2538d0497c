/** The number of members or apps, of those that the tier has. */

import { request } from "../api.js";
import { h } from "../dom.js";
import { formatNumber } from "../format.js";
import { may } from "../session.js";

/** @typedef {import("../types.d.ts").OrganizationDetails} OrganizationDetails */
/** @typedef {{ limit: number | null, upgradeUrl: string | null }} Places a limit of null is none, or unknown */

/**
 * Return the limit of an entitlement, as far as the member may read it.
 * @param {"users" | "apps"} entitlement
 * @param {AbortSignal} signal
 * @returns {Promise<Places>}
 */
export async function loadPlaces(entitlement, signal) {
  if (!may("organization:read")) return { limit: null, upgradeUrl: null };
  /** @type {OrganizationDetails} */
  const organization = await request("GET", "organizations/current", { signal });
  const limit = organization.entitlements[entitlement];
  return { limit: typeof limit === "number" ? limit : null, upgradeUrl: organization.upgrade_url ?? null };
}

/**
 * Return "2 of 5 members".
 * @param {number} used
 * @param {Places} places
 * @param {string} what in the plural
 */
export function placesLine(used, { limit, upgradeUrl }, what) {
  if (limit === null) return h("p", { class: "meta" }, `${formatNumber(used)} ${what}`);
  const text = `${formatNumber(used)} of ${formatNumber(limit)} ${what}`;
  if (used < limit) return h("p", { class: "meta" }, text);
  return h("p", { class: "meta" }, `${text}. Your tier includes no more. `, upgradeLink(upgradeUrl));
}

/** @param {string | null | undefined} url */
export function upgradeLink(url) {
  return url ? h("a", { href: url, rel: "noreferrer" }, "Upgrade the tier") : null;
}
