// Events: the live list, the details of an event, filters, and a trace.
import assert from "node:assert/strict";
import { bytesOf, inspect, inspectDialog, run, sendEvents, signIn, tabTo } from "./harness.mjs";

const BUDGET_BYTES = 200_000;
const HOSTILE = `<img src=x onerror="alert(1)">`;

await run(async ({ given, open }) => {
  const { acme } = given;
  const page = await open(acme, "events");
  await signIn(page, acme, "Events");

  // Events: none, then some by themselves. Later ones wait.
  await page.getByText("No events yet").waitFor();
  await inspect(page, "events-none");
  assert.equal((await sendEvents(given, acme.write_key, 3, "Signed Up")).status, 200);
  const opener = page.getByRole("button", { name: /, Signed Up$/ });
  await opener.first().waitFor();
  assert.equal(await opener.count(), 3);
  assert.equal((await sendEvents(given, acme.write_key, 2, HOSTILE)).status, 200);
  const later = page.getByRole("button", { name: `, ${HOSTILE}` });
  const waiting = page.getByRole("button", { name: "2 new" });
  await waiting.waitFor();
  assert.equal(await later.count(), 0);
  await inspect(page, "events-waiting");
  await waiting.press("Enter");
  await later.first().waitFor();

  // A row opens its JSON by keyboard alone. The URL has it.
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await tabTo(page, "button", "Copy the JSON", 3);
  const details = page.getByRole("region", { name: "The event" });
  const shown = JSON.parse(await details.getByLabel("JSON of the event").textContent());
  assert.equal(new URL(page.url()).searchParams.get("event"), shown.event_id);
  await inspect(page, "event-details");
  await page.keyboard.press("Escape");
  await details.waitFor({ state: "hidden" });

  // In a narrow window it opens in a dialog, and the focus comes back to its row.
  await page.setViewportSize({ width: 320, height: 640 });
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByLabel("JSON of the event").waitFor();
  await inspectDialog(page, "event-dialog");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.match(await page.evaluate(() => document.activeElement.className), /opener/);
  assert.equal(new URL(page.url()).searchParams.get("event"), null);

  // Filters are in the URL, and come back.
  await page.keyboard.press("/");
  await page.keyboard.type("Signed Up");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Remove the filter Name: Signed Up" }).waitFor();
  await later.first().waitFor({ state: "detached" });
  assert.match(page.url(), /event_name=Signed\+Up/);
  await inspect(page, "events-filtered");

  // Where is my event?
  await page.getByRole("button", { name: "Where is my event?" }).click();
  const trace = page.getByRole("dialog", { name: "Where is my event?" });
  await trace.getByRole("button", { name: "Find" }).click();
  await trace.getByText("Enter at least one id.").waitFor();
  await trace.getByLabel("Ids of events").fill(`${shown.event_id}\nnowhere`);
  await trace.getByRole("button", { name: "Find" }).click();
  await trace.getByText("Stored", { exact: true }).waitFor();
  await trace.getByText("Unknown", { exact: true }).waitFor();
  await inspect(page, "trace");
  await trace.getByRole("button", { name: `Open ${shown.event_id}` }).click();
  await details.getByLabel("JSON of the event").waitFor();
  await page.reload();
  await details.getByLabel("JSON of the event").waitFor();
  assert.ok(bytesOf(page) < BUDGET_BYTES, `${bytesOf(page)} bytes`);

  // A list that is left while it is loaded writes nothing into the next URL.
  const list = /\/v1\/events\?/;
  const isAsked = page.waitForRequest(list);
  await page.route(list, () => {});
  await page.goto(page.url().replace(/events.*/, "events?live=off"));
  await isAsked;
  await page.getByRole("link", { name: "Members" }).click();
  await page.getByRole("rowheader", { name: /admin@/ }).waitFor();
  assert.doesNotMatch(page.url(), /live=/);
  await page.unroute(list);
});
