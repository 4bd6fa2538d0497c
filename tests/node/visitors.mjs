// Visits a page with @segment/analytics-next in single mode in Chromium: node visitors.mjs API WRITE_KEY COUNT.
// Each visitor comes without storage, cookies and cache, makes three calls and stays until all of them were answered.
// Prints the statuses of the answers.
import { launch, serveShop } from "./browser.mjs";

const [api, writeKey, count] = process.argv.slice(2);
const CALLS = 3;
const shop = await serveShop((query) => `
  const integrations = { "Segment.io": { apiHost: "${new URL(api).host}/v1", protocol: "http" } };
  const analytics = AnalyticsNext.AnalyticsBrowser.load({ writeKey: "${writeKey}", cdnURL: "${api}" }, { integrations });
  analytics.page("Home");
  analytics.identify("user-${query.get("visitor")}");
  analytics.track("Order Completed", { revenue: 1.25, currency: "EUR" });
`);

const browser = await launch();
const tab = await browser.newPage();
const devtools = await tab.context().newCDPSession(tab);
const statuses = [];
let answered = () => {};
tab.on("response", (response) => {
  if (response.request().method() === "POST" && statuses.push(response.status()) % CALLS === 0) answered();
});
for (let visitor = 0; visitor < Number(count); visitor += 1) {
  const allAnswered = new Promise((resolve) => { answered = resolve; });
  await tab.goto(`${shop.url}/?visitor=${visitor}`, { timeout: 0 });
  await allAnswered;
  await tab.evaluate(() => localStorage.clear());
  await tab.context().clearCookies();
  await devtools.send("Network.clearBrowserCache");
}
await browser.close();
shop.close();
console.log(JSON.stringify(statuses));
