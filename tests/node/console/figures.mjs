// Figures of a browser in German, far from UTC: numbers, money, days, and the lines of the chart.
import assert from "node:assert/strict";
import { call, consoleOf, inspect, run, signIn, until } from "./harness.mjs";

const COUNT = 3;

await run(async ({ given, open }) => {
  const { acme } = given;
  const events = Array.from({ length: COUNT }, (_, at) => ({
    event_type: "track",
    event_name: "Order Completed",
    event_id: `order-${at}`,
    device_id: "device-1",
    platform: "web",
    revenue: "1234.5",
    currency: "EUR",
    event_timestamp: new Date().toISOString(),
  }));
  assert.equal((await call(given, "POST", "/events", acme.write_key, { events })).status, 200);
  const page = await open(acme, "usage", { locale: "de-DE", timezoneId: "Pacific/Kiritimati" });
  await signIn(page, acme);
  await until(async () => {
    await page.reload();
    await page.getByRole("heading", { name: "Events of the month" }).waitFor();
    await page.waitForLoadState("networkidle");
    return (await page.locator(".uplot").count()) > 0;
  });

  // A quota far above the use is named, and the legend has no line for it.
  await page.getByText("The quota of 1.000.000 is above the chart.").waitFor();
  assert.equal(await page.locator(".key-quota").count(), 0);
  assert.equal(await page.locator(".key-projection").count(), 1);

  // The line of the month is in UTC, in the words of the locale.
  const now = new Date();
  const month = new Intl.DateTimeFormat("de-DE", { month: "long", year: "numeric", timeZone: "UTC" }).format(now);
  const line = await page.locator(".page-body p.meta").first().textContent();
  assert.match(line, new RegExp(`^1\\.\\s?–\\s?\\d+\\. ${month} \\(UTC\\) · resets in \\d+ days? · as of \\d\\d:\\d\\d UTC$`, "u"));
  const clock = new Intl.DateTimeFormat("de-DE", { hour: "numeric", minute: "2-digit", timeZone: "UTC" });
  const shown = / (\d\d:\d\d) UTC$/.exec(line)[1];
  assert.ok([now, new Date(now - 60_000)].map((at) => clock.format(at)).includes(shown), line);

  // A quota near the use is a line.
  const overrides = { events_per_month: COUNT + 1 };
  await call(given, "PATCH", `/organizations/${acme.id}`, given.platform_key, { overrides });
  await page.reload();
  await page.locator(".key-quota").waitFor();
  assert.equal(await page.getByText("is above the chart").count(), 0);

  // Money.
  await page.getByRole("link", { name: "Events" }).click();
  await page.getByRole("cell", { name: /^1\.234,50\s€$/ }).first().waitFor();

  // After a release the chart's file is missing. The table is shown.
  await page.route("**/console/uplot-*.js", (route) => route.fulfill({ status: 404 }));
  await page.goto(`${consoleOf(given, acme)}usage`);
  await page.getByText("The chart could not be loaded. The table below has the same numbers.").waitFor();
  await inspect(page, "chart-missing", "main");
  await page.getByText("The same as a table").click();
  await page.getByRole("table", { name: "Events of each day" }).waitFor();

  // A time as seen from now stays true.
  await page.clock.install();
  await page.goto(`${consoleOf(given, acme)}members`);
  await page.locator("time[data-relative]").filter({ hasText: /Sekunde|jetzt/ }).first().waitFor();
  await page.clock.fastForward(5 * 60_000);
  await page.locator("time[data-relative]").filter({ hasText: "vor 5 Minuten" }).first().waitFor();
});
