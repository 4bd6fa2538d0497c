import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBytes, formatShare, formatRelative, formatUtcDay, formatUtcDays } from "../../../../functions/console/web/format.js";

const NOW = new Date("2026-11-16T12:00:00Z");

test("bytes have the unit that keeps them short", () => {
  assert.equal(formatBytes(0), "0 B");
  assert.equal(formatBytes(1_536), "1.5 KiB");
  assert.equal(formatBytes(10 * 1024 ** 3), "10 GiB");
  assert.equal(formatBytes(5_000 * 1024 ** 4), "5,000 TiB");
});

test("days are those of UTC in every zone", () => {
  assert.match(formatUtcDay("2026-11-01"), /November 1|1 November/);
  assert.match(formatUtcDays("2026-11-01", "2026-12-01"), /1.*30.*2026/);
});

test("times are seen from now", () => {
  assert.equal(formatRelative("2026-11-16T11:58:00Z", NOW), "2 minutes ago");
  assert.equal(formatRelative("2026-11-16T15:00:00Z", NOW), "in 3 hours");
  assert.equal(formatRelative("2026-11-15T12:00:00Z", NOW), "yesterday");
  assert.equal(formatRelative(NOW, NOW), "now");
});

test("a share is full at its limit and not before", () => {
  assert.equal(formatShare(0.7951), "79%");
  assert.equal(formatShare(0.9999), "99%");
  assert.equal(formatShare(1), "100%");
  for (let part = 0; part <= 300; part += 1) assert.equal(formatShare(part / 100), `${part}%`);
});
