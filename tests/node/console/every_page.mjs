// Every page of the navigation: reached by keyboard, light, sound in each state, and no more than each role may see.
// `given.pages` are the files of the pages with the permission that each needs, `given.roles` the permissions of roles.
import assert from "node:assert/strict";
import { bytesOf, call, consoleOf, inspect, mailedToken, run, settled, signIn } from "./harness.mjs";

const BUDGET_BYTES = 200_000;
const PASSWORD = "seventeen purple bicycles";
// The requests for data, without those of the session and of the brand.
const DATA = /\/v1\/(?!console|auth\/|me(?:\?|$)|branding(?:\?|$))/;
const REFRESH = /\/v1\/auth\/refresh$/;
const PROBLEM = { detail: "Internal Server Error", code: "internal", request_id: "r-42" };
const FORBIDDEN = { status: 403, detail: "The role lacks a permission.", code: "forbidden", request_id: "r-43" };
const ENDED = { status: 401, detail: "The token has expired.", code: "unauthenticated" };
// What changes something, and the permission that it needs.
const CONTROLS = [
  ["usage", "Create a write key", "keys:write"],
  ["keys", "Create key", "keys:write"],
  ["members", "Invite a member", "users:write"],
  ["apps", "Create app", "apps:write"],
  ["branding", "Save the branding", "branding:write"],
  ["domains", "Add domain", "domains:write"],
  ["sign-on", "Connect a provider", "sso:write"],
  ["sign-on", "Add e-mail domain", "sso:write"],
  ["privacy", "Request an export", "exports:write"],
  ["privacy", "Erase a data subject", "erasures:write"],
  ["settings", "Save the rotation", "keys:write"],
  ["settings", "Delete the organization", "organization:delete"],
];

await run(async ({ given, open }) => {
  const { globex } = given;
  const overrides = { white_label: true, sso: true };
  await call(given, "PATCH", `/organizations/${globex.id}`, given.platform_key, { overrides });
  const page = await open(globex, "usage");
  await signIn(page, globex);

  // A browser with a session that opens the door goes through it.
  await page.goto(`${consoleOf(given, globex)}sign-in?next=keys%3Fstatus%3Dall`);
  await page.getByRole("heading", { name: "Keys", level: 1 }).waitFor();
  assert.match(page.url(), /\/keys\?status=all$/);
  await page.goto(`${consoleOf(given, globex)}sign-in`);
  await page.getByRole("heading", { name: "Usage", level: 1 }).waitFor();

  const links = await linksOf(page);
  assert.deepEqual(links.map(({ name }) => name).toSorted(), given.pages.map(({ name }) => name).toSorted());
  await goByLetters(page, links);
  const bytes = {};
  for (const { name, title } of links) {
    bytes[name] = await weigh(given, page, name, title);
    await inspect(page, `page-${name}`);
    await tryStates(given, page, name, title);
  }
  for (const [role, permissions] of Object.entries(given.roles)) await visitAs(given, open, role, permissions);
  return bytes;
});

async function linksOf(page) {
  const links = await page.getByRole("navigation", { name: "Pages" }).getByRole("link").all();
  return Promise.all(links.map(async (link) => ({ name: new URL(await link.getAttribute("href"), page.url()).pathname.split("/").at(-1), title: await link.textContent() })));
}

// `g` and a letter go to each page. The dialog of `?` names them all.
async function goByLetters(page, links) {
  await page.keyboard.press("?");
  const shortcuts = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  const keys = await shortcuts.locator("dt").allTextContents();
  const titles = await shortcuts.locator("dd").allTextContents();
  await page.keyboard.press("Escape");
  await shortcuts.waitFor({ state: "detached" });
  for (const { name, title } of links) {
    const letter = keys[titles.indexOf(title)].replace("g", "");
    await page.keyboard.press("g");
    await page.keyboard.press(letter === "" ? "g" : letter);
    const heading = page.getByRole("heading", { name: title, level: 1 });
    await heading.waitFor();
    assert.ok(page.url().endsWith(`/${name}`), `${page.url()} for ${letter}`);
    assert.match(await page.title(), new RegExp(`^${title} · Globex$`));
    assert.ok(await heading.evaluate((element) => element === document.activeElement), title);
  }
}

// Returns the bytes of a first visit of a page.
async function weigh(given, page, name, title) {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  const before = bytesOf(page);
  await visit(given, page, name, title);
  await settled(page);
  await session.detach();
  const bytes = bytesOf(page) - before;
  assert.ok(bytes > 10_000 && bytes < BUDGET_BYTES, `${name}: ${bytes} bytes`);
  return bytes;
}

async function visit(given, page, name, title) {
  await page.goto(`${consoleOf(given, given.globex)}${name}`);
  await page.getByRole("heading", { name: title, level: 1 }).waitFor();
}

// Loading, failed, refused, without a network, and with a session that has ended. No state needs a reload.
async function tryStates(given, page, name, title) {
  const link = page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: title, exact: true });
  const retry = async () => {
    for (const button of (await page.getByRole("button", { name: "Retry" }).all()).reverse()) await button.press("Enter");
    await settled(page);
  };

  const waiting = [];
  let answer = (route) => void waiting.push(route);
  await page.route(DATA, (route) => answer(route));
  await link.click();
  await page.locator(".skeleton").first().waitFor();
  await inspect(page, `loading-${name}`, "main");
  answer = (route) => route.abort();
  await Promise.all(waiting.map(answer));
  await page.getByText("The server cannot be reached.").first().waitFor();
  await settled(page);
  await inspect(page, `unreachable-${name}`, "main");

  answer = (route) => route.fulfill({ status: 500, json: PROBLEM });
  await retry();
  await page.getByRole("heading", { name: /^Could not load / }).first().waitFor();
  await page.getByText("r-42").first().waitFor();
  await inspect(page, `failed-${name}`, "main");

  answer = (route) => route.fulfill({ status: 403, json: FORBIDDEN });
  await retry();
  await page.getByRole("heading", { name: /^You may not see / }).first().waitFor();
  await inspect(page, `refused-${name}`, "main");

  answer = (route) => route.fulfill({ status: 500, json: PROBLEM });
  await link.click();
  await page.getByRole("heading", { name: /^Could not load / }).first().waitFor();
  await settled(page);
  await page.unroute(DATA);
  await retry();
  await page.getByRole("heading", { name: /^Could not load / }).first().waitFor({ state: "detached" });

  await page.context().setOffline(true);
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await page.getByText(/The server cannot be reached. The content is of/).first().waitFor();
  await inspect(page, `offline-${name}`, "main");
  await page.context().setOffline(false);

  // The page stays, asks for the password, and goes on: by keyboard alone.
  await page.route(REFRESH, (route) => route.fulfill({ status: 401, json: ENDED }));
  await page.route(DATA, (route) => route.fulfill({ status: 401, json: ENDED }));
  await page.evaluate(() => dispatchEvent(new Event("online")));
  const ended = page.getByRole("dialog", { name: "Your session has ended" });
  await ended.waitFor();
  await inspect(page, `expired-${name}`, "dialog[open]");
  await page.unroute(DATA);
  await page.unroute(REFRESH);
  await page.keyboard.type(given.globex.admin_password);
  await page.keyboard.press("Enter");
  await ended.waitFor({ state: "detached" });
  await page.getByText(/The server cannot be reached. The content is of/).first().waitFor({ state: "detached" });
  await page.getByRole("heading", { name: title, level: 1 }).waitFor();
}

// A member of this role sees the pages and controls of the role's permissions, and no page asks for more than it may.
async function visitAs(given, open, role, permissions) {
  const { globex } = given;
  const email = `the-${role.replace("_", "-")}@${globex.subdomain}.example`;
  const login = { organization: globex.subdomain, email: globex.admin_email, password: globex.admin_password };
  const admin = (await call(given, "POST", "/auth/token", null, login)).document.access_token;
  assert.equal((await call(given, "POST", "/users", admin, { email, role })).status, 201);
  const token = await mailedToken(given, email);
  assert.equal((await call(given, "POST", "/users/accept", null, { token, password: PASSWORD })).status, 200);

  const page = await open(globex, "settings");
  const refused = [];
  page.on("response", (response) => response.status() === 403 && refused.push(response.url()));
  await signIn(page, { admin_email: email, admin_password: PASSWORD }, "Settings");
  const allowed = given.pages.filter(({ needs }) => needs === null || permissions.includes(needs)).map(({ name }) => name);
  assert.deepEqual((await linksOf(page)).map(({ name }) => name).toSorted(), allowed.toSorted(), role);
  for (const { name, title } of given.pages) {
    const isAllowed = allowed.includes(name);
    if (isAllowed) await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: title, exact: true }).click();
    else await page.goto(`${consoleOf(given, globex)}${name}`);
    await page.getByRole("heading", { name: title, level: 1 }).waitFor();
    await settled(page);
    assert.equal((await page.getByText("You may not see this page").count()) > 0, !isAllowed, `${role}: ${name}`);
    for (const [, control, permission] of CONTROLS.filter(([at]) => at === name)) {
      const isThere = (await page.getByRole("button", { name: control }).count()) > 0;
      assert.equal(isThere, isAllowed && permissions.includes(permission), `${role}: ${control}`);
    }
  }
  assert.deepEqual(refused, [], role);
  await page.context().close();
}
