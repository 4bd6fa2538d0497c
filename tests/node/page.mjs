// Opens a page that runs CODE in Chromium: node page.mjs API < {"code", "calls"}. CODE names the API {api}.
// Ends once that number of different calls was answered. Prints all other hosts that the page called.
import { text } from "node:stream/consumers";
import { launch, Proxy, serveShop } from "./browser.mjs";

const { code, calls } = JSON.parse(await text(process.stdin));
const proxy = await new Proxy(process.argv[2]).start();
const shop = await serveShop(() => code.replaceAll("{api}", new URL(proxy.url).host));
const browser = await launch();
const tab = await browser.newPage();
const answered = new Set();
const hosts = new Set();
const done = new Promise((resolve, reject) => {
  tab.on("pageerror", reject);
  tab.on("request", (request) => hosts.add(new URL(request.url()).host));
  tab.on("response", async (response) => {
    const request = response.request();
    if (request.method() !== "POST" || response.status() !== 200) return;
    const { batch, messageId } = request.postDataJSON();
    for (const call of batch ?? [{ messageId }]) answered.add(call.messageId);
    if (answered.size >= calls) resolve();
  });
});
await tab.goto(shop.url, { timeout: 0 });
await done;
await browser.close();
shop.close();
await proxy.close();
const own = [shop.url, proxy.url].map((url) => new URL(url).host);
console.log(JSON.stringify({ otherHosts: [...hosts].filter((host) => !own.includes(host)) }));
