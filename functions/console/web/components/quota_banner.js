/** The warning from 80 % of a quota on: the quota, the day on which it is reached, and the effect. */

import { h } from "../dom.js";
import { formatBytes, formatNumber, formatShare } from "../format.js";
import { fullQuotas, paceText, shareOf } from "../quotas.js";
import { upgradeLink } from "./places.js";
import { notice } from "./states.js";

/**
 * @param {import("../types.d.ts").Usage} usage
 * @param {Date} now
 * @param {string | null} upgradeUrl
 */
export function quotaBanner(usage, now, upgradeUrl) {
  const full = fullQuotas(usage);
  if (full.length === 0) return null;
  const isOver = full.some((metric) => shareOf(usage.quotas[metric.name]) >= 1);
  const lines = full.map((metric) => {
    const quota = usage.quotas[metric.name];
    const write = metric.isBytes ? formatBytes : formatNumber;
    const share = formatShare(shareOf(quota));
    return h(
      "li",
      {},
      h("strong", {}, `${metric.title}: ${share} of ${write(quota.limit ?? 0)} used.`),
      `${paceText(metric, usage, now)} Over the quota, ${metric.effect}`,
    );
  });
  const operator = `Your tier is ${usage.tier}. The platform operator can raise the quota, or change the tier.`;
  const upgrade = upgradeLink(upgradeUrl) ?? h("p", {}, operator);
  return notice(isOver ? "bad" : "warn", h("ul", { class: "stack-small" }, ...lines), upgrade);
}
