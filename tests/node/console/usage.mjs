// Usage: the first event arrives without a reload, then cards, chart, table and banner.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { bytesOf, call, inspect, run, sendEvents, signIn, until } from "./harness.mjs";

const BUDGET_BYTES = 200_000;

await run(async ({ given, open }) => {
  const { acme, platform_key: operator } = given;
  const page = await open(acme, "usage");
  await inspect(page, "sign-in");
  await signIn(page, acme);

  // The first event.
  const waiting = page.getByText("Waiting for your first event");
  await waiting.waitFor();
  await page.getByRole("tab", { name: "curl" }).press("ArrowRight");
  assert.match(page.url(), /sdk=browser/);
  await page.getByRole("button", { name: "Create a write key" }).click();
  const key = await page.locator(".secret code").textContent();
  assert.match(await page.getByRole("tabpanel").textContent(), new RegExp(`writeKey: "${key}"`));
  await inspect(page, "first-event");
  await page.evaluate(() => (window.isSameLoad = true)); // a reload forgets it
  assert.equal((await sendEvents(given, key, 1)).status, 200);
  await page.getByText("Your first event is here.").waitFor();
  await inspect(page, "first-event-arrived", "main");
  assert.equal(await page.evaluate(() => window.isSameLoad), true);

  // The month, with a quota that is nearly used.
  await call(given, "PATCH", `/organizations/${acme.id}`, operator, { overrides: { events_per_month: 120 } });
  assert.equal((await sendEvents(given, acme.write_key, 100, "Order Completed")).status, 200);
  await until(async () => {
    await page.reload();
    await page.getByRole("region", { name: "Events", exact: true }).waitFor();
    return (await page.getByText("Events: 84% of 120 used.").count()) > 0;
  });
  const card = page.getByRole("region", { name: "Events", exact: true });
  assert.match(await card.textContent(), /101 of 120 · 84%/);
  await card.getByText("Nearly full").waitFor();
  await card.getByRole("img", { name: "Events: 84% used" }).waitFor();

  // A first visit, with the chart.
  const visit = await open(acme, "usage");
  await signIn(visit, acme);
  await visit.locator(".uplot").first().waitFor();
  assert.ok(bytesOf(visit) > 0 && bytesOf(visit) < BUDGET_BYTES, `${bytesOf(visit)} bytes`);

  // The chart by keyboard.
  const chart = page.getByRole("slider", { name: "Day of the month" });
  await page.locator(".uplot").first().waitFor();
  await chart.focus();
  const today = await chart.getAttribute("aria-valuetext");
  assert.match(today, /: 101 events, 101 since the month began, 84% of the quota$/);
  await page.keyboard.press("Home");
  assert.match(await chart.getAttribute("aria-valuetext"), /^1 \w+: /);
  await page.keyboard.press("End");
  assert.equal(await chart.getAttribute("aria-valuetext"), today);

  // The same as a table, and as CSV.
  await page.getByText("The same as a table").click();
  await inspect(page, "usage");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as CSV" }).click()]);
  const lines = (await readFile(await download.path(), "utf8")).trim().split("\r\n");
  assert.equal(lines[0], "Day (UTC),Events,Since the month began");
  assert.match(lines.at(-1), /^\d{4}-\d\d-\d\d,101,101$/);

  // One app.
  await page.getByLabel("App", { exact: true }).selectOption({ index: 1 });
  await page.getByText("By the time of the event, of one app.").waitFor();
  assert.match(page.url(), /app=/);
  await page.reload();
  await page.getByText("By the time of the event, of one app.").waitFor();

  // No network: what is shown stays.
  await page.context().setOffline(true);
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await page.getByText(/The server cannot be reached. The content is of/).first().waitFor();
  await card.waitFor();
  await inspect(page, "offline");
  await page.context().setOffline(false);
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await page.getByText(/The server cannot be reached/).first().waitFor({ state: "detached" });

  // Over the quota, some events are held. Then a quota below the use, and none.
  assert.equal((await sendEvents(given, acme.write_key, 25, "Cart Viewed")).status, 200);
  await until(async () => {
    await page.goto(page.url().replace(/usage.*/, "usage"));
    await card.waitFor();
    return (await page.getByRole("heading", { name: "6 events are held" }).count()) > 0;
  });
  await page.getByText("over the quota. The hourly run releases them").waitFor();
  await card.getByText("Full", { exact: true }).waitFor();
  await inspect(page, "held");
  for (const [limit, figure] of [[50, /120 of 50 · 240%/], ["unlimited", /120 Unlimited/]]) {
    await call(given, "PATCH", `/organizations/${acme.id}`, operator, { overrides: { events_per_month: limit } });
    await page.reload();
    await card.waitFor();
    assert.match(await card.textContent(), figure);
    assert.equal(await card.locator(".bar-over").count(), limit === 50 ? 1 : 0);
    await inspect(page, `limit-${limit}`);
  }
  return { bytes: bytesOf(visit) };
});
