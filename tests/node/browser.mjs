// The parts of the browser programs: Chromium, a shop, and a proxy between its pages and the API.
import { createReadStream, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";

process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs24.x"; // unpack and use the shared libraries of Chromium, too
const { default: chromium } = await import("@sparticuz/chromium");
const { chromium: playwright } = await import("playwright-core");

const SCRIPTS = join(import.meta.dirname, "node_modules", "@segment", "analytics-next", "dist", "umd");
const PACKAGE = "export const { AnalyticsBrowser } = window.AnalyticsNext;"; // its build for browsers has no exports
const IMPORTS = JSON.stringify({ imports: { "@segment/analytics-next": "/package.js" } });
const LOADING = `<script type="importmap">${IMPORTS}</script><script src="/index.js"></script>`;

async function listen(server) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

// Starts Chromium. TMPDIR is where it is unpacked, with its fonts. Without a font it dies of the first text field.
export async function launch() {
  const executablePath = await chromium.executablePath();
  const configuration = join(tmpdir(), "font-configuration");
  const folders = `<dir>${join(tmpdir(), "fonts")}</dir><cachedir>${join(configuration, "cache")}</cachedir>`;
  mkdirSync(configuration, { recursive: true });
  writeFileSync(join(configuration, "fonts.conf"), `<?xml version="1.0"?><fontconfig>${folders}</fontconfig>`);
  process.env.FONTCONFIG_PATH = configuration;
  return playwright.launch({ executablePath, args: ["--disable-gpu", "--no-zygote"], timeout: 0 });
}

// Serves /empty, the scripts of @segment/analytics-next, and a page at / that loads them and runs codeOf(query).
export async function serveShop(codeOf) {
  const shop = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://shop");
    if (pathname === "/" || pathname === "/empty") {
      const body = pathname === "/" ? `${LOADING}<script type="module">${codeOf(searchParams)}</script>` : "";
      return response.setHeader("Content-Type", "text/html").end(`<!doctype html><title>Shop</title>${body}`);
    }
    response.setHeader("Content-Type", "text/javascript");
    if (pathname === "/package.js") return response.end(PACKAGE);
    if (!/^\/[\w.-]+\.js$/.test(pathname)) return response.writeHead(404).end();
    return createReadStream(join(SCRIPTS, pathname)).on("error", () => response.destroy()).pipe(response);
  });
  return { url: await listen(shop), close: () => shop.close() };
}

// Passes requests on to the API, from an origin of its own. `received` has the id of each call that the API answered
// with success, in order. With the fault "settings" no request for settings gets an answer, with "answers" no call. With
// "requests" all connections are closed, and the API gets no request.
export class Proxy {
  fault = null;
  received = [];
  refused = 0;
  #api;
  #server = createServer((request, response) => this.#handled.push(this.#handle(request, response)));
  #waiting = new Set();
  #handled = [];

  constructor(api) {
    this.#api = api;
  }

  async start() {
    this.url = await listen(this.#server);
    return this;
  }

  // Resolves once all requests are handled. Close the browser first.
  async close() {
    await new Promise((resolve) => this.#server.close(resolve));
    await Promise.all(this.#handled);
  }

  // Resolves once `isDone` returns true. It is called after each request.
  until(isDone) {
    return new Promise((resolve) => {
      const ask = () => isDone() && this.#waiting.delete(ask) | resolve();
      this.#waiting.add(ask);
      ask();
    });
  }

  async #handle(request, response) {
    const fault = this.fault;
    const isCall = request.method === "POST";
    if (fault === "settings" && request.method === "GET") return;
    const body = await buffer(request).catch(() => null); // the page was closed within its request
    if (body === null) return;
    if (fault === "requests") this.refused += 1;
    const answer = fault === "requests" ? null : await this.#pass(request, body);
    if (isCall && answer?.ok) this.#note(JSON.parse(body));
    for (const ask of [...this.#waiting]) ask();
    if (isCall && fault === "answers") return;
    if (answer === null) return response.destroy();
    response.writeHead(answer.status, [...answer.headers].filter(([name]) => name !== "connection").flat());
    response.end(Buffer.from(await answer.arrayBuffer()));
  }

  async #pass({ method, url, headers }, body) {
    const { host, connection, ...passed } = headers;
    const options = { method, headers: passed, body: method === "POST" ? body : undefined };
    return fetch(this.#api + url, options).catch(() => null); // the API closed the connection
  }

  #note({ batch, messageId }) {
    this.received.push(...(batch ?? [{ messageId }]).map((call) => call.messageId));
  }
}
