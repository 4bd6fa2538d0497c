/** The notice in place of a feature that the tier of the organization does not have. */

import { ApiError } from "../api.js";
import { h } from "../dom.js";
import { notice } from "./states.js";

const NOT_IN_TIER = "not_in_tier";

/**
 * Tell whether a refusal says that the entitlements do not include the feature.
 * @param {unknown} error
 * @returns {error is ApiError}
 */
export function isNotIncluded(error) {
  return error instanceof ApiError && error.code === NOT_IN_TIER;
}

/**
 * Return a notice with the purpose of the feature, the tiers that have it, and the way to get it.
 * @param {object} options
 * @param {string} options.feature "Branding"
 * @param {string} options.tiers "the tier enterprise"
 * @param {string} options.tier of the organization
 * @param {string} options.text the purpose of the feature
 * @param {string | null} options.upgradeUrl
 */
export function notIncluded({ feature, tiers, tier, text, upgradeUrl }) {
  return notice(
    "info",
    h("h2", {}, `${feature} is not included in the tier ${tier}`),
    h("p", {}, text),
    h("p", { class: "muted" }, `It belongs to ${tiers}. The platform operator can change the tier, or include it alone.`),
    ...(upgradeUrl ? [h("a", { href: upgradeUrl, rel: "noreferrer" }, "Upgrade the tier")] : []),
  );
}
