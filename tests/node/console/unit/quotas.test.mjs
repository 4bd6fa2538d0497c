import assert from "node:assert/strict";
import { test } from "node:test";
import {
  dayOfLimit,
  daysLeft,
  elapsedPart,
  fillDays,
  fullQuotas,
  METRICS,
  paceText,
  projectedUse,
  shareOf,
} from "../../../../functions/console/web/quotas.js";

const PERIOD = { start: "2026-11-01", end: "2026-12-01" };
const NOON_OF_16 = new Date("2026-11-16T00:00:00Z");
const [EVENTS] = METRICS;
const STORAGE = METRICS.find((metric) => metric.name === "storage_bytes");
const USERS = METRICS.find((metric) => metric.name === "users");

function usageOf(quotas, daily = []) {
  const none = { used: 0, limit: 100, remaining: 100 };
  const all = Object.fromEntries(METRICS.map((metric) => [metric.name, none]));
  return { period: PERIOD, quotas: { ...all, ...quotas }, daily, held: { count: 0, reasons: {} } };
}

test("half of the month has passed at its middle", () => {
  assert.equal(elapsedPart(PERIOD, NOON_OF_16), 0.5);
});

test("the first day counts whole, and a month never passes by more than itself", () => {
  assert.equal(elapsedPart(PERIOD, new Date("2026-11-01T00:00:01Z")), 1 / 30);
  assert.equal(elapsedPart(PERIOD, new Date("2027-01-01T00:00:00Z")), 1);
});

test("a monthly quota is projected by its pace, a stock by what the month has added", () => {
  assert.equal(projectedUse(EVENTS, usageOf({ events: { used: 50, limit: 120 } }), NOON_OF_16), 100);
  const usage = usageOf({ storage_bytes: { used: 1_000, limit: null } }, [{ date: "2026-11-02", storage_bytes: 10 }]);
  assert.equal(projectedUse(STORAGE, usage, NOON_OF_16), 1_010);
  assert.equal(projectedUse(USERS, usageOf({}), NOON_OF_16), null);
});

test("the day of the limit lies between now and the end, else there is none", () => {
  const day = dayOfLimit(EVENTS, usageOf({ events: { used: 60, limit: 90 } }), NOON_OF_16);
  assert.equal(day?.toISOString(), "2026-11-23T12:00:00.000Z");
  assert.equal(dayOfLimit(EVENTS, usageOf({ events: { used: 60, limit: 200 } }), NOON_OF_16), null);
  assert.equal(dayOfLimit(EVENTS, usageOf({ events: { used: 200, limit: 200 } }), NOON_OF_16), null);
  assert.equal(dayOfLimit(EVENTS, usageOf({ events: { used: 200, limit: null } }), NOON_OF_16), null);
});

test("quotas from 80 % on are listed, the fullest first", () => {
  const usage = usageOf({ events: { used: 80, limit: 100 }, users: { used: 5, limit: 5 }, apps: { used: 79, limit: 100 } });
  assert.deepEqual(fullQuotas(usage).map((metric) => metric.name), ["users", "events"]);
});

test("a share needs a limit, and one of zero is full with any use", () => {
  assert.equal(shareOf({ used: 5, limit: null }), 0);
  assert.equal(shareOf({ used: 0, limit: 0 }), 0);
  assert.equal(shareOf({ used: 1, limit: 0 }), 1);
});

test("each day until now is there, with the sum since the month began", () => {
  const days = fillDays(PERIOD, [{ date: "2026-11-02", events: 3 }, { date: "2026-11-04", events: 4 }], new Date("2026-11-05T10:00:00Z"));
  assert.deepEqual(days.map((day) => day.events), [0, 3, 0, 4, 0]);
  assert.deepEqual(days.at(-1), { date: "2026-11-05", events: 0, sum: 7 });
});

test("a period that ends today has one day left", () => {
  assert.equal(daysLeft(PERIOD, new Date("2026-11-30T23:59:00Z")), 1);
  assert.equal(daysLeft(PERIOD, NOON_OF_16), 15);
});

test("the day on which a quota is reached is said to be one of UTC", () => {
  assert.match(paceText(EVENTS, usageOf({ events: { used: 60, limit: 90 } }), NOON_OF_16), /reached on (?:November 23|23 November) \(UTC\)\.$/);
  assert.equal(paceText(EVENTS, usageOf({ events: { used: 60, limit: 200 } }), NOON_OF_16), "");
});
