// Takes the pictures of docs/console.md (scripts/console_pictures.py): each page, in each look.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { consoleOf, run, signIn } from "./harness.mjs";

const WIDTH = 1280;
const HEIGHT = 800;
const HEIGHTS = { usage: 1280 };
const QUALITY = 60;
const READY = { usage: ".uplot", branding: ".preview" };
const STATES = { events: "?event=sample-4" };

await run(async ({ given, open }) => {
  const page = await open(given.acme, "usage");
  await page.route(/\/v1\/usage$/, (route) => spreadOverMonth(route, consoleOf(given, null)));
  await signIn(page, given.acme);
  const session = await page.context().newCDPSession(page);
  for (const name of given.pages) {
    await page.setViewportSize({ width: WIDTH, height: HEIGHTS[name] ?? HEIGHT });
    await page.goto(`${consoleOf(given, given.acme)}${name}${STATES[name] ?? ""}`);
    await page.locator(READY[name] ?? "main table").first().waitFor();
    await page.waitForLoadState("networkidle");
    for (const colorScheme of given.looks) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: QUALITY });
      writeFileSync(join(given.folder, `${name}-${colorScheme}.webp`), Buffer.from(data, "base64"));
    }
  }
});

// A new organization has received all events today. The picture shows them over the days of the month until now.
// Node does not know the hosts of organizations, and asks the API's own host.
async function spreadOverMonth(route, console) {
  const answer = await route.fetch({ url: new URL("../usage", console).href });
  const usage = await answer.json();
  const [today] = usage.daily;
  const days = Number(today.date.slice(8));
  const shares = Array.from({ length: days }, (_, at) => 3 + ((at * 7) % 5) + (at % 7 < 5 ? 4 : 0));
  const sum = shares.reduce((one, other) => one + other);
  let left = today.events;
  usage.daily = shares.map((share, at) => {
    const events = at === days - 1 ? left : Math.round((today.events * share) / sum);
    left -= events;
    const date = `${today.date.slice(0, 8)}${String(at + 1).padStart(2, "0")}`;
    return { ...today, date, events, storage_bytes: Math.round((today.storage_bytes * share) / sum) };
  });
  await route.fulfill({ response: answer, json: usage });
}
