// Closes pages in Chromium: node closed_pages.mjs API CALLS < [{"setup", "scenario", "closing"}, ...].
// A page has the code SETUP, which names the API {api}, and makes CALLS calls. It is closed as a "tab" or by a "link".
// Then the visitor comes again. Prints for each page the ids of the calls that the SDK kept for this second visit, and
// the ids of all calls that the API handled, in order.
import { text } from "node:stream/consumers";
import { launch, Proxy, serveShop } from "./browser.mjs";

const [api, number] = process.argv.slice(2);
const CALLS = Number(number);
const LARGE = 20_000;
const ITEMS = /^persisted-queue:.*:items$/;
const browser = await launch();

const make = (tab, size = 0) => tab.evaluate(([calls, length]) => {
  const properties = { note: "x".repeat(length) };
  window.calls = Array.from({ length: calls }, (_, index) => analytics.track(`Call ${index}`, properties));
}, [CALLS, size]);
const delivered = (tab) => tab.evaluate(() => Promise.all(window.calls));

// The browser keeps settings in its cache. So these pages never get any.
const WITHOUT_SETTINGS = ["before settings", "awaited, no settings"];

const SCENARIOS = {
  // The API handles the calls, but the page is closed before the answers arrive.
  async unanswered({ tab, proxy, close }) {
    await tab.evaluate(() => analytics.ready());
    proxy.fault = "answers";
    await make(tab);
    await proxy.until(() => new Set(proxy.received).size === CALLS);
    await close();
  },
  // The SDK has put the calls into its batch, but not sent it.
  async collected({ tab, proxy, close }) {
    await tab.evaluate(() => analytics.ready());
    await make(tab);
    await delivered(tab);
    await close();
    await proxy.until(() => proxy.received.length === CALLS);
  },
  // The page waits for its calls.
  async awaited({ tab, close }) {
    await tab.evaluate(() => analytics.ready());
    await make(tab);
    await delivered(tab);
    await close();
  },
  // The calls do not fit into the 64 KiB that a browser sends for a closed page.
  async "collected, large"({ tab, close }) {
    await tab.evaluate(() => analytics.ready());
    await make(tab, LARGE);
    await delivered(tab);
    await close();
  },
  // The page is closed right after the calls.
  async "at once"({ tab, close, byLink }) {
    await tab.evaluate(() => analytics.ready());
    if (!byLink) return make(tab).then(close);
    const left = tab.waitForURL("**/empty", { timeout: 0 });
    await tab.evaluate((calls) => {
      for (let index = 0; index < calls; index += 1) analytics.track(`Call ${index}`);
      location.href = "/empty";
    }, CALLS).catch(() => {}); // the page is gone before it answers
    return left;
  },
  // The page is closed before the SDK has its settings.
  async "before settings"({ tab, close }) {
    await make(tab);
    await close();
  },
  // The page waits for its calls, and the SDK gets no settings from the API.
  async "awaited, no settings"({ tab, close }) {
    await make(tab);
    await delivered(tab);
    await close();
  },
  // No request reaches the API while the page is closed.
  async offline({ tab, proxy, close, isBatch }) {
    await tab.evaluate(() => analytics.ready());
    proxy.fault = "requests";
    await make(tab);
    if (isBatch) await delivered(tab);
    else await proxy.until(() => proxy.refused >= CALLS);
    await close();
    await proxy.until(() => proxy.refused);
  },
  // The tab is hidden, shown again, and closed. The SDK sends its batch when it is hidden, and again.
  async hidden({ tab, proxy, close }) {
    await tab.evaluate(() => analytics.ready());
    await make(tab);
    await delivered(tab);
    for (const state of ["hidden", "visible"]) {
      await tab.evaluate((value) => {
        Object.defineProperty(document, "visibilityState", { value, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, state);
    }
    await close();
    await proxy.until(() => proxy.received.length === 2 * CALLS);
  },
};

async function run({ setup, scenario, closing }) {
  const proxy = await new Proxy(api).start();
  const code = setup.replaceAll("{api}", new URL(proxy.url).host);
  const shop = await serveShop(() => `${code}\nwindow.analytics = analytics;`);
  const context = await browser.newContext();
  const tab = await context.newPage();
  tab.on("pageerror", (error) => { throw error; }); // ends the program
  const isBatch = setup.includes("batching");
  const byLink = closing === "link";
  const close = () => byLink ? tab.goto(`${shop.url}/empty`, { timeout: 0 }) : tab.close();
  if (WITHOUT_SETTINGS.includes(scenario)) proxy.fault = "settings";
  await tab.goto(shop.url, { timeout: 0 });
  await tab.waitForFunction(() => Boolean(window.analytics), undefined, { timeout: 0 });
  await SCENARIOS[scenario]({ tab, proxy, isBatch, byLink, close });

  const next = await context.newPage();
  await next.goto(`${shop.url}/empty`, { timeout: 0 });
  const stored = await next.evaluate(() => Object.entries({ ...localStorage }));
  const items = stored.filter(([name]) => ITEMS.test(name)).flatMap(([, value]) => JSON.parse(value));
  const kept = items.map((item) => item.event.messageId);
  const before = proxy.received.length;
  if (!(scenario === "offline" && isBatch)) proxy.fault = null;
  if (kept.length) {
    await next.goto(shop.url, { timeout: 0 });
    await proxy.until(() => kept.every((id) => proxy.received.slice(before).includes(id)));
  }
  await context.close();
  shop.close();
  return { proxy, kept };
}

const pages = [];
for (const page of JSON.parse(await text(process.stdin))) pages.push(await run(page));
await browser.close();
await Promise.all(pages.map(({ proxy }) => proxy.close()));
console.log(JSON.stringify(pages.map(({ proxy, kept }) => ({ kept, received: proxy.received }))));
