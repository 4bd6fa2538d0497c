// The parts of the browser tests of the console. A scenario is a program: node console/<scenario>.mjs < given.json
//
//   import { run } from "./harness.mjs";
//   await run(async ({ given, open, inspect }) => {
//     const page = await open(given.acme);            // a browser of its own, at acme's subdomain
//     await signIn(page, given.acme);
//     await page.getByRole("link", { name: "Keys" }).click();
//     await inspect(page, "keys");                    // axe-core and width, light and dark, 320 and 1,280 px
//   });
//
// `run` fails for an error of a page, a refused policy, a motion in spite of `reducedMotion`, and a request to another
// origin, also of a window that a page opens. `mayVisit` of `open` matches the addresses to which a page may navigate.
// With CONSOLE_PICTURES=<folder> `inspect` also stores pictures.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { launch } from "../browser.mjs";
import { drawn, needlessMotionsOf, noteMotions, PATIENCE_MS, until, watch } from "./watch.mjs";

export { bytesOf, settled, until } from "./watch.mjs";

const AXE = readFileSync(join(import.meta.dirname, "..", "node_modules", "axe-core", "axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 320, height: 640 };
// Neighbors differ in one setting.
const INSPECTIONS = [
  [WIDE, "light"],
  [WIDE, "dark"],
  [NARROW, "dark"],
  [NARROW, "light"],
];
const PICTURES = process.env.CONSOLE_PICTURES;
const looks = new WeakMap();

// Runs a scenario in one Chromium, and prints its result as JSON.
export async function run(scenario) {
  const given = JSON.parse(await text(process.stdin));
  const browser = await launch();
  const faults = [];
  const pages = [];
  // Opens the console in a browser context of its own. `at` is the page with its query.
  const open = async (organization, at = "", { mayVisit, ...options } = {}) => {
    const context = await browser.newContext({ viewport: WIDE, locale: "en-GB", reducedMotion: "reduce", ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    await context.addInitScript(noteMotions);
    const page = await context.newPage();
    pages.push(page);
    const base = consoleOf(given, organization);
    watch(page, { base, mayVisit, faults });
    await page.goto(base + at);
    await page.locator(".door, .frame").waitFor();
    return page;
  };
  try {
    const result = await scenario({ given, open, inspect, browser });
    for (const page of pages.filter((each) => !each.isClosed())) faults.push(...(await needlessMotionsOf(page)));
    assert.deepEqual(faults, []);
    console.log(JSON.stringify(result ?? {}));
  } catch (error) {
    if (PICTURES) await Promise.all(pages.map((page, at) => picture(page, `failed-${at}`).catch(() => null)));
    throw new Error(`${error.stack}\nat ${pages.map((page) => page.url())}\nfaults: ${faults.join("\n")}`);
  } finally {
    await browser.close();
  }
}

// The address of the console at an organization's subdomain, or at the API's own host without one.
export function consoleOf(given, organization) {
  const url = new URL(given.console_url);
  if (organization) url.hostname = `${organization.subdomain}.attribution.localhost`;
  return url.href;
}

// Signs in on the page `sign-in`, and waits for the page behind it.
export async function signIn(page, { admin_email: email, admin_password: password }, heading = "Usage") {
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
}

// Checks the page as it is: no violation of axe-core, and nothing wider than the window. `part` selects what alone has
// changed since the whole page was checked.
export async function inspect(page, name, part = "html") {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  for (const [size, look] of INSPECTIONS) {
    await turn(page, size, look);
    if (PICTURES) await picture(page, `${name}-${size.width}-${look}`);
    const { violations, excess } = await page.evaluate(check, [part, RULES]);
    const where = `${name}, ${size.width} px, ${look}`;
    assert.deepEqual(violations, [], where);
    assert.ok(excess <= 0, `${where}: ${excess} px too wide`);
  }
  await turn(page, WIDE, "light");
}

// Checks the dialog that is open, where a scenario has opened it.
export async function inspectDialog(page, name) {
  await page.locator("dialog[open]").last().waitFor();
  await inspect(page, name, "dialog[open]");
}

// Gives the page another size or look, if it differs.
async function turn(page, size, look) {
  const { width, height } = page.viewportSize();
  if (width !== size.width || height !== size.height) await page.setViewportSize(size);
  if ((looks.get(page) ?? "light") !== look) await page.emulateMedia({ colorScheme: look });
  looks.set(page, look);
  await drawn(page);
}

// Runs in the page. The console has no audio, and no style of another origin, which axe-core would load again.
async function check([part, tags]) {
  const options = { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"], preload: false };
  const { violations } = await window.axe.run(part, options);
  return {
    violations: violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`)),
    excess: document.scrollingElement.scrollWidth - innerWidth,
  };
}

async function picture(page, name) {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

// Presses Tab until the element with this role and name has the focus, as a person without a mouse does.
export async function tabTo(page, role, name, presses = 60) {
  const wanted = page.getByRole(role, { name, exact: true }).first();
  for (let press = 0; press < presses; press += 1) {
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not reach the ${role} ${name}.`);
}

// Calls the API without the browser.
export async function call(given, method, path, credential, body) {
  const headers = { "Content-Type": "application/json", ...(credential ? { Authorization: `Bearer ${credential}` } : {}) };
  const answer = await fetch(given.api_url + path, { method, headers, body: body && JSON.stringify(body) });
  const content = await answer.text();
  return { status: answer.status, document: content ? JSON.parse(content) : null };
}

// Returns the one-time token in a mail to an address, which is none of those *before*. The sweep sends mails.
export async function mailedToken(given, address, ...before) {
  return until(async () => {
    await fetch(given.sweep_url, { method: "POST", body: "{}" });
    const { messages } = await (await fetch(given.mailbox_url)).json();
    const mails = Object.values(messages).flat().map((mail) => JSON.stringify(mail)).filter((mail) => mail.includes(address));
    return mails.map((mail) => /ot_[0-9A-Za-z]+/.exec(mail)?.[0]).find((token) => token && !before.includes(token));
  });
}

// Sends events with a write key: `count` of them, on the present day.
export async function sendEvents(given, writeKey, count, name = "Signed Up") {
  const events = Array.from({ length: count }, (_, at) => ({
    event_type: "track",
    event_name: name,
    event_id: `${name}-${at}-${Date.now()}`,
    device_id: `device-${at}`,
    platform: "web",
    event_timestamp: new Date().toISOString(),
  }));
  return call(given, "POST", "/events", writeKey, { events });
}
