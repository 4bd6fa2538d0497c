// The parts of harness.mjs that watch a page: its faults, its requests and its motions.
import { setTimeout as sleep } from "node:timers/promises";

export const PATIENCE_MS = 30_000; // only a failure waits so long
const loaded = new Map();
const inFlight = new WeakMap();

// Notes the faults of a page and of the windows that it opens.
export function watch(page, { base, mayVisit, faults }) {
  const requests = new Set();
  inFlight.set(page, requests);
  page.on("popup", (popup) => watch(popup, { base, mayVisit, faults }));
  page.on("pageerror", (error) => faults.push(`${page.url()}: ${error.stack}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(message.text());
  });
  page.on("request", (request) => {
    requests.add(request);
    const url = request.url();
    const isAllowed = request.isNavigationRequest() && mayVisit?.test(url);
    if (url.startsWith("http") && new URL(url).origin !== new URL(base).origin && !isAllowed) faults.push(`a request to ${url}`);
  });
  page.on("requestfailed", (request) => requests.delete(request));
  page.on("requestfinished", async (request) => {
    requests.delete(request);
    if (!request.url().startsWith(base)) return;
    const { responseBodySize } = await request.sizes(); // below 0 from the cache
    loaded.set(page, (loaded.get(page) ?? 0) + Math.max(0, responseBodySize));
  });
}

// Runs in the page: keeps the animations and transitions that begin.
export function noteMotions() {
  window.motions = [];
  const note = () => {
    for (const each of document.getAnimations()) {
      const { duration, delay, iterations } = each.effect.getTiming();
      const isReduced = matchMedia("(prefers-reduced-motion: reduce)").matches;
      const name = each.animationName ?? each.transitionProperty;
      if (duration > 0) window.motions.push({ name, duration, delay, iterations, isReduced });
    }
  };
  for (const type of ["animationstart", "transitionrun"]) document.addEventListener(type, note, true);
}

// Returns the motions of the page since its load that began although motion was disabled.
export async function needlessMotionsOf(page) {
  const moved = await page.evaluate(() => window.motions.filter(({ isReduced }) => isReduced));
  return moved.map((motion) => `${page.url()} moves: ${JSON.stringify(motion)}`);
}

// Resolves once all requests of the page are answered and their answers are drawn.
export async function settled(page) {
  do await until(() => inFlight.get(page).size === 0, 20);
  while ((await drawn(page)) && inFlight.get(page).size > 0);
}

// Resolves once the page is drawn anew.
export function drawn(page) {
  return page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(true)))));
}

// The bytes of the console's own files that a page has loaded, as they were sent.
export function bytesOf(page) {
  return loaded.get(page);
}

// Returns the first value of `ask` that is true.
export async function until(ask, pause = 200) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    const value = await ask();
    if (value) return value;
    await sleep(pause);
  }
  throw new Error(`It never happened: ${ask}`);
}
