import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { formatBytes, formatDays, formatRelative, formatShare } from "../../../../functions/console/web/format.js";

const MODULE = new URL("../../../../functions/console/web/format.js", import.meta.url).href;
const NOW = new Date("2026-11-16T12:00:00Z");

test("bytes have the unit that keeps them short", () => {
  assert.equal(formatBytes(0), "0 B");
  assert.equal(formatBytes(1_536), "1.5 KiB");
  assert.equal(formatBytes(10 * 1024 ** 3), "10 GiB");
  assert.equal(formatBytes(5_000 * 1024 ** 4), "5,000 TiB");
});

const plain = (texts) => texts.map((text) => text.replaceAll(/[\u00a0\u2009\u202f]/g, " "));

// Returns the value of an expression with the exports of format.js as `f`, in another locale or zone.
function elsewhere(expression, { locale = "en-GB", zone = "UTC" }) {
  const script = `import(${JSON.stringify(MODULE)}).then((f) => console.log(JSON.stringify(${expression})))`;
  const env = { ...process.env, LC_ALL: locale.replace("-", "_"), TZ: zone };
  return JSON.parse(execFileSync(process.execPath, ["--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", "--eval", script], { env }));
}

test("days and times of UTC are those of UTC in every zone", () => {
  const expression = `[f.formatUtcDay("2026-11-01"), f.formatUtcDays("2026-11-01", "2026-12-01"), f.formatUtcClock("2026-11-16T22:05:00Z")]`;

  for (const zone of ["Pacific/Kiritimati", "America/Los_Angeles", "UTC"]) {
    assert.deepEqual(plain(elsewhere(expression, { zone })), ["1 November", "1 – 30 November 2026", "22:05 UTC"], zone);
  }
});

test("numbers, money and times are those of the locale", () => {
  const expression = `[f.formatNumber(1234567), f.formatMoney("1234.5", "EUR"), f.formatMoney("0.1234", null), f.formatDays(30), f.formatShare(0.845)]`;

  assert.deepEqual(plain(elsewhere(expression, {})), ["1,234,567", "€1,234.50", "0.1234", "30 days", "84%"]);
  assert.deepEqual(plain(elsewhere(expression, { locale: "de-DE" })), ["1.234.567", "1.234,50 €", "0,1234", "30 days", "84 %"]);
  assert.match(elsewhere("f.formatNumber(1234567)", { locale: "ar-EG" }), /^[\u0660-\u0669\u066c]+$/);
});

test("contrasts and the days of a chart have the digits of the locale", () => {
  const expression = `[f.formatRatio(4.5), f.formatDayNumber(Date.UTC(2026, 10, 16) / 1000)]`;

  assert.deepEqual(elsewhere(expression, {}), ["4.50:1", "16"]);
  assert.deepEqual(elsewhere(expression, { locale: "de-DE", zone: "America/Los_Angeles" }), ["4,50:1", "16"]);
  assert.deepEqual(elsewhere(expression, { locale: "ar-EG" }), ["\u0664\u066b\u0665\u0660:1", "\u0661\u0666"]);
});

test("money keeps all its digits", () => {
  assert.match(elsewhere(`f.formatMoney("12345678901234567.25", "USD")`, {}), /12,345,678,901,234,567\.25/);
  assert.match(elsewhere(`f.formatMoney("1200", "JPY")`, {}), /1,200$/);
});

test("one day is in the singular", () => {
  assert.deepEqual([1, 2].map(formatDays), ["1 day", "2 days"]);
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
