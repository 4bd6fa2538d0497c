/** Held events: their number, their reasons and their release. */

import { h } from "../dom.js";
import { formatNumber } from "../format.js";
import { notice } from "./states.js";

const REASONS = /** @type {Record<string, string>} */ ({
  quota: "over the quota. The hourly run releases them once the quota has room: after an upgrade, or in a new month.",
  clock: "with a time that is in the future, past the retention, or unreadable. The hourly run releases those of the future once their time is past. The platform operator can release those with an unreadable time.",
});

/** @param {{ count: number, reasons: Record<string, number> }} held */
export function heldPanel(held) {
  if (held.count === 0) return null;
  const rows = Object.entries(held.reasons).map(([reason, count]) =>
    h("li", {}, h("strong", {}, formatNumber(count)), ` ${REASONS[reason] ?? reason}`),
  );
  const title = `${formatNumber(held.count)} events are held. They are stored and do not count yet.`;
  return notice("info", h("h2", {}, title), h("ul", { class: "stack-small" }, ...rows));
}
