/** How many of the members or apps of a tier are used. */

import { request } from "../api.js";
import { h } from "../dom.js";
import { formatNumber } from "../format.js";
import { may } from "../session.js";

/** @typedef {import("../types.d.ts").OrganizationDetails} OrganizationDetails */

/**
 * Return the limit of an entitlement. Null is none, or one that the member may not read.
 * @param {"users" | "apps"} entitlement
 * @param {AbortSignal} signal
 * @returns {Promise<number | null>}
 */
export async function loadLimit(entitlement, signal) {
  if (!may("organization:read")) return null;
  /** @type {OrganizationDetails} */
  const organization = await request("GET", "organizations/current", { signal });
  const limit = organization.entitlements[entitlement];
  return typeof limit === "number" ? limit : null;
}

/**
 * Return "2 of 5 members".
 * @param {number} used
 * @param {number | null} limit
 * @param {string} what in the plural
 */
export function placesLine(used, limit, what) {
  const text = limit === null ? `${formatNumber(used)} ${what}` : `${formatNumber(used)} of ${formatNumber(limit)} ${what}`;
  const more = limit !== null && used >= limit ? ". Your tier includes no more." : "";
  return h("p", { class: "meta" }, `${text}${more}`);
}
