// Visits a page with @segment/analytics-next in single mode in Chromium: node visitors.mjs API WRITE_KEY COUNT.
// Each visitor comes without storage, cookies and cache, makes three calls and stays until all of them were answered.
// Prints the statuses of the answers. TMPDIR is where Chromium is unpacked.
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs24.x"; // unpack and use the shared libraries of Chromium, too
const { default: chromium } = await import("@sparticuz/chromium");
const { chromium: playwright } = await import("playwright-core");

const [api, writeKey, count] = process.argv.slice(2);
const CALLS = 3;
const SCRIPTS = join(import.meta.dirname, "node_modules", "@segment", "analytics-next", "dist", "umd");
const LAUNCH = { executablePath: await chromium.executablePath(), args: ["--disable-gpu", "--no-zygote"], timeout: 0 };

const page = (visitor) => `<!doctype html><title>Shop</title><script src="/index.js"></script><script>
  const integrations = { "Segment.io": { apiHost: "${new URL(api).host}/v1", protocol: "http" } };
  const analytics = AnalyticsNext.AnalyticsBrowser.load({ writeKey: "${writeKey}", cdnURL: "${api}" }, { integrations });
  analytics.page("Home");
  analytics.identify("user-${visitor}");
  analytics.track("Order Completed", { revenue: 1.25, currency: "EUR" });
</script>`;

const shop = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://shop");
  if (pathname === "/") return response.setHeader("Content-Type", "text/html").end(page(searchParams.get("visitor")));
  if (!/^\/[\w.-]+\.js$/.test(pathname)) return response.writeHead(404).end();
  response.setHeader("Content-Type", "text/javascript");
  return createReadStream(join(SCRIPTS, pathname)).on("error", () => response.destroy()).pipe(response);
});
await new Promise((resolve) => shop.listen(0, "127.0.0.1", resolve));

const browser = await playwright.launch(LAUNCH);
const tab = await browser.newPage();
const devtools = await tab.context().newCDPSession(tab);
const statuses = [];
let answered = () => {};
tab.on("response", (response) => {
  if (response.request().method() === "POST" && statuses.push(response.status()) % CALLS === 0) answered();
});
for (let visitor = 0; visitor < Number(count); visitor += 1) {
  const allAnswered = new Promise((resolve) => { answered = resolve; });
  await tab.goto(`http://127.0.0.1:${shop.address().port}/?visitor=${visitor}`, { timeout: 0 });
  await allAnswered;
  await tab.evaluate(() => localStorage.clear());
  await tab.context().clearCookies();
  await devtools.send("Network.clearBrowserCache");
}
await browser.close();
shop.close();
console.log(JSON.stringify(statuses));
