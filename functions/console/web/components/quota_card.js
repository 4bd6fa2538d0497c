/** A card with a quota: figures, bar, projection, note. */

import { h } from "../dom.js";
import { formatBytes, formatNumber, formatShare } from "../format.js";
import { projectedUse, shareOf, WARN_SHARE } from "../quotas.js";
import { badge } from "./states.js";

/** @typedef {import("../quotas.js").Metric} Metric */
/** @typedef {import("../types.d.ts").Usage} Usage */

const FULL = 1;

/**
 * @param {Metric} metric
 * @param {Usage} usage
 * @param {Date} now
 * @param {string | null} [note]
 */
export function quotaCard(metric, usage, now, note = null) {
  const quota = usage.quotas[metric.name];
  const write = metric.isBytes ? formatBytes : formatNumber;
  const share = shareOf(quota);
  const projected = projectedUse(metric, usage, now);
  const isProjected = projected !== null && quota.limit !== null && projected > quota.used;
  const figure =
    quota.limit === null
      ? [h("strong", {}, write(quota.used)), " ", h("span", { class: "muted" }, "Unlimited")]
      : [h("strong", {}, write(quota.used)), " ", h("span", { class: "muted" }, `of ${write(quota.limit)} · ${formatShare(share)}`)];
  const forecast = isProjected ? `About ${write(projected)} at the month's end at this pace` : null;
  return h(
    "section",
    { class: "card quota", "aria-label": metric.title },
    h("div", { class: "quota-head" }, h("h2", { class: "meta" }, metric.title), stateOf(share)),
    h("p", { class: "quota-figure" }, ...figure),
    quota.limit === null ? null : bar(metric.title, share, isProjected ? projected / Math.max(1, quota.limit) : null),
    h("p", { class: "meta quota-note" }, [note, forecast].filter(Boolean).join(" · ") || "\u00a0"),
  );
}

/** @param {number} share */
function stateOf(share) {
  if (share >= FULL) return badge("bad", "Full");
  return share >= WARN_SHARE ? badge("warn", "Nearly full") : null;
}

/**
 * Return the bar. Over the limit its scale grows, and the part over it is striped.
 * @param {string} title
 * @param {number} share
 * @param {number | null} projected
 */
function bar(title, share, projected) {
  const scale = Math.max(FULL, share);
  const percent = (/** @type {number} */ part) => `${Math.min(100, (part / scale) * 100).toFixed(2)}%`;
  const text = `${title}: ${formatShare(share)} used`;
  return h(
    "div",
    { class: "bar", role: "img", "aria-label": text },
    h("span", { class: "bar-used", "data-level": share >= WARN_SHARE && "warn", vars: { "--to": percent(Math.min(share, FULL)) } }),
    share > FULL ? h("span", { class: "bar-over", vars: { "--from": percent(FULL) } }) : null,
    h("span", { class: "bar-mark", vars: { "--at": percent(WARN_SHARE) } }),
    h("span", { class: "bar-mark", vars: { "--at": percent(FULL) } }),
    projected === null ? null : h("span", { class: "bar-projection", vars: { "--at": percent(Math.min(projected, scale)) } }),
  );
}
