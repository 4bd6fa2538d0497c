// The settings of a browser: motion, a language with digits of its own, a zone far from UTC, and a tab that is hidden.
import assert from "node:assert/strict";
import { inspect, run, sendEvents, settled, signIn, until } from "./harness.mjs";

const LONGEST_MS = 150;
const SPINNER = "turn"; // in a pressed button, until its call is answered
const LOCALE = "ar-EG";
const ZONE = "America/Los_Angeles";
const EVENTS = /\/v1\/events\?/;

await run(async ({ given, open }) => {
  await move(given, open);
  await readInArabic(given, open);
});

// With motion enabled, motions are short and end: first event, dialogs, menus and messages.
async function move(given, open) {
  const { acme } = given;
  const page = await open(acme, "usage", { reducedMotion: "no-preference" });
  await signIn(page, acme);
  await page.getByText("Waiting for your first event").waitFor();
  await page.getByRole("button", { name: "Create a write key" }).click();
  const key = await page.locator(".secret code").textContent();
  assert.equal((await sendEvents(given, key, 1)).status, 200);
  await page.getByText("Your first event is here.").waitFor();
  await page.getByRole("link", { name: "Members" }).hover();
  await page.getByRole("link", { name: "Members" }).click();
  await page.getByRole("button", { name: "Invite a member" }).click();
  await page.getByRole("textbox", { name: "E-mail address" }).fill(`moved@${acme.subdomain}.example`);
  await page.keyboard.press("Enter");
  await page.getByText("An invitation is on its way").waitFor();
  await page.getByRole("button", { name: /^Actions for moved/ }).click();
  await page.keyboard.press("Escape");
  await settled(page);
  const motions = (await page.evaluate(() => window.motions)).filter(({ name }) => name !== SPINNER);
  assert.deepEqual(motions.filter(({ duration, iterations }) => duration * iterations > LONGEST_MS), []);
  assert.deepEqual([...new Set(motions.map(({ name }) => name))].toSorted(), ["background-color", "pop"]);
}

// Days are those of UTC, and moments those of the zone, in the digits of the language.
async function readInArabic(given, open) {
  const { acme } = given;
  const page = await open(acme, "usage", { locale: LOCALE, timezoneId: ZONE });
  await signIn(page, acme);
  const card = page.getByRole("region", { name: "Events", exact: true });
  await card.waitFor();
  assert.equal(await card.locator(".quota-figure strong").textContent(), new Intl.NumberFormat(LOCALE).format(1));
  const day = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "long", timeZone: "UTC" });
  const today = await page.getByRole("slider", { name: "Day of the month" }).getAttribute("aria-valuetext");
  assert.ok([new Date(), new Date(Date.now() - 60_000)].some((at) => today.startsWith(day.format(at))), today);
  await inspect(page, "usage-arabic");

  await page.getByRole("link", { name: "Events", exact: true }).click();
  const when = page.locator("tbody .when").first();
  await when.waitFor({ state: "attached" });
  const at = new Date(await when.locator("time").getAttribute("datetime"));
  const moment = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "medium", timeZone: ZONE });
  assert.equal(plain(await when.locator(".absolute").textContent()), plain(moment.format(at)));
  await hide(page);
}

// Chromium and Node may have other releases of the same spaces and marks.
function plain(text) {
  return text.replaceAll(/[\s\u200e\u200f]+/gu, " ");
}

// A hidden tab sends no requests. A tab that is shown again sends one at once. Headless Chromium cannot hide a tab, so
// the test sets the state of the page.
async function hide(page) {
  const asked = [];
  page.on("request", (request) => EVENTS.test(request.url()) && asked.push(request.url()));
  await page.clock.install();
  await page.reload();
  await page.locator("tbody .when").first().waitFor({ state: "attached" });
  const say = (isHidden) =>
    page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
      document.dispatchEvent(new Event("visibilitychange"));
    }, isHidden);
  await page.clock.runFor(6_000);
  await until(() => asked.length >= 2);
  await say(true);
  await settled(page);
  const before = asked.length;
  await page.clock.runFor(60_000);
  await settled(page);
  assert.equal(asked.length, before);
  await say(false);
  await until(() => asked.length === before + 1);
}
