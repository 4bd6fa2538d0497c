/** The features of a tier: whether the organization has them, and where to get them. */

import { request } from "./api.js";
import { may } from "./session.js";

/** @typedef {{ isIncluded: boolean, upgradeUrl: string | null }} Feature */

/**
 * Read whether the entitlements have a feature. A member who may not read them learns it from refusals.
 * @param {"white_label" | "sso"} name
 * @param {AbortSignal} signal
 * @returns {Promise<Feature>}
 */
export async function loadFeature(name, signal) {
  if (!may("organization:read")) return { isIncluded: true, upgradeUrl: null };
  const { entitlements, upgrade_url: upgradeUrl } = await request("GET", "organizations/current", { signal });
  return { isIncluded: entitlements[name] === true, upgradeUrl: upgradeUrl ?? null };
}
