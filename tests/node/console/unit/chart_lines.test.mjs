import assert from "node:assert/strict";
import { test } from "node:test";
import { linesOf } from "../../../../functions/console/web/chart_lines.js";

const PERIOD = { start: "2026-11-01", end: "2026-12-01" };
const DAYS = [
  { date: "2026-11-01", events: 10, sum: 10 },
  { date: "2026-11-02", events: 20, sum: 30 },
];

test("the sum ends today, and the pace goes from there to the month's end", () => {
  const { times, sums, pace } = linesOf({ period: PERIOD, days: DAYS, limit: null, projected: 310 });

  assert.equal(times.length, 30);
  assert.deepEqual(sums.slice(0, 3), [10, 30, null]);
  assert.deepEqual(pace.slice(0, 3), [null, 30, 40]);
  assert.equal(pace.at(-1), 310);
});

test("the quota is a line within the drawing if it is not far above", () => {
  const { quota, top } = linesOf({ period: PERIOD, days: DAYS, limit: 1_200, projected: 310 });

  assert.equal(quota, 1_200);
  assert.equal(top, 1_200);
});

test("a quota far above, or none, is no line", () => {
  assert.deepEqual([linesOf({ period: PERIOD, days: DAYS, limit: 1_000_000, projected: 310 })].map(({ quota, top }) => [quota, top]), [[null, 310]]);
  assert.equal(linesOf({ period: PERIOD, days: DAYS, limit: null, projected: 310 }).quota, null);
});

test("without a projection there is no pace, and the quota is measured by the sum", () => {
  const { pace, quota, top } = linesOf({ period: PERIOD, days: DAYS, limit: 120, projected: null });

  assert.deepEqual(new Set(pace), new Set([null]));
  assert.deepEqual([quota, top], [120, 120]);
});
