// Announcements reach screen readers also in a dialog, and the focus stays where a keyboard user works.
import assert from "node:assert/strict";
import { call, run, sendEvents, signIn, until } from "./harness.mjs";

const PROBLEM = { detail: "Internal Server Error", code: "internal", request_id: "r-42" };

await run(async ({ given, open }) => {
  const { acme } = given;
  const page = await open(acme, "keys");
  await signIn(page, acme, "Keys");
  await page.getByRole("rowheader", { name: /First secret key/ }).waitFor();

  // The switches of the look in header and navigation show the same.
  await page.getByRole("button", { name: "Dark", exact: true }).click();
  const { width, height } = page.viewportSize();
  await page.setViewportSize({ width: 500, height });
  await page.getByRole("button", { name: "Pages" }).click();
  const looks = page.getByRole("navigation", { name: "Pages" }).getByRole("button", { pressed: true });
  assert.deepEqual(await looks.allTextContents(), ["Dark"]);
  await page.setViewportSize({ width, height });

  // A modal dialog hides all else, so the text is announced within it.
  await page.getByRole("button", { name: "Create key" }).click();
  await page.getByRole("dialog", { name: "Create key" }).getByLabel("Name").fill("Web shop");
  await page.keyboard.press("Enter");
  const once = page.getByRole("dialog", { name: "Your new key" });
  await once.getByRole("button", { name: "Copy the key" }).click();
  await once.locator("[aria-live]").filter({ hasText: /^(?:Copied|Not copied)/ }).waitFor({ state: "attached" });
  await once.getByLabel("I have stored it").check();
  await once.getByRole("button", { name: "Done" }).click();
  await once.waitFor({ state: "detached" });
  assert.equal(await page.locator(".frame > [aria-live]").count(), 2);
  await page.getByRole("rowheader", { name: /Web shop/ }).waitFor();

  // The same text twice is announced twice.
  const said = await listen(page);
  await page.getByLabel("Filter by name").fill("web shop");
  await until(async () => (await said()).length === 1);
  await page.getByLabel("Filter by name").fill("web sho");
  await until(async () => (await said()).length === 2);
  assert.deepEqual(await said(), ["Keys shown: 1", "Keys shown: 1"]);

  // Revoke a key: its row is gone, and the focus is at the table.
  await page.getByLabel("Filter by name").fill("");
  await page.getByRole("button", { name: "Actions for Web shop" }).press("Enter");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Revoke key" }).getByLabel("Type the name: Web shop").fill("Web shop");
  await page.keyboard.press("Enter");
  await page.getByRole("rowheader", { name: /Web shop/ }).waitFor({ state: "detached" });
  await focused(page, "Keys");

  // A revoked key is in no snippet.
  await page.getByRole("link", { name: "Usage" }).click();
  await page.getByRole("button", { name: "Create a write key" }).waitFor();
  await page.getByRole("link", { name: "Keys" }).click();
  await page.getByRole("rowheader", { name: /First secret key/ }).waitFor();

  // Retry: the button goes, and comes.
  const keys = "**/v1/keys";
  await page.route(keys, (route) => route.fulfill({ status: 500, json: PROBLEM }));
  await page.reload();
  await Promise.all([page.waitForResponse(keys), page.getByRole("button", { name: "Retry" }).press("Enter")]);
  await focused(page, /^Retry/);
  await page.unroute(keys);
  await page.keyboard.press("Enter");
  await focused(page, "Keys");
  await page.route(keys, (route) => route.abort());
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await page.getByText(/The server cannot be reached/).waitFor();
  await page.unroute(keys);
  await page.getByRole("button", { name: "Retry" }).press("Enter");
  await page.getByText(/The server cannot be reached/).waitFor({ state: "detached" });
  await focused(page, "Keys");

  // Nothing moves while the page waits, with reduced motion or without.
  await page.getByRole("link", { name: "Usage" }).click();
  await page.getByText("Waiting for your first event").waitFor();
  const moving = () => page.evaluate(() => document.getAnimations().map(({ animationName, transitionProperty }) => animationName ?? transitionProperty));
  await page.emulateMedia({ reducedMotion: "no-preference" });
  await until(async () => (await moving()).length === 0);
  await page.emulateMedia({ reducedMotion: "reduce" });

  // Usage: the button that makes a key, and the chart when the month is loaded again.
  const create = page.getByRole("button", { name: "Create a write key" });
  await page.route(keys, async (route) => {
    const { authorization, "content-type": type, "idempotency-key": attempt } = route.request().headers();
    const headers = { authorization, "content-type": type, "idempotency-key": attempt };
    await fetch(`${given.api_url}/keys`, { method: "POST", headers, body: route.request().postData() });
    await route.abort(); // the key is there, and its answer is lost
  });
  for (let failed = 1; failed <= 2; failed += 1) {
    const asked = page.waitForEvent("requestfailed");
    await create.press("Enter");
    await asked;
    await page.getByRole("alert").getByText("The server cannot be reached.").waitFor();
  }
  assert.equal(await page.getByText("The server cannot be reached.").count(), 1);
  await page.unroute(keys);
  await create.press("Enter");
  await focused(page, /^Copy the key/);
  const { document } = await call(given, "GET", "/keys", acme.secret_key);
  assert.equal(document.data.filter(({ name }) => name === "First event").length, 1);
  assert.equal((await sendEvents(given, acme.write_key, 3)).status, 200);
  await page.getByText("Your first event is here.").waitFor();
  await page.reload();
  await until(async () => {
    await page.evaluate(() => dispatchEvent(new Event("online")));
    return (await page.locator(".uplot").count()) > 0;
  });
  await page.getByRole("slider", { name: "Day of the month" }).focus();
  const usage = page.waitForResponse("**/v1/usage");
  await page.evaluate(() => document.querySelector(".uplot").setAttribute("data-before", ""));
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await usage;
  await page.locator(".uplot[data-before]").first().waitFor({ state: "detached" });
  await page.locator(".uplot").first().waitFor();
  await focused(page, "Day of the month");

  // A list without further pages has no button for them.
  for (let at = 0; at < 2; at += 1) assert.equal((await sendEvents(given, acme.write_key, 60, "Viewed")).status, 200);
  await page.getByRole("link", { name: "Events" }).click();
  await until(async () => {
    await page.reload();
    await page.locator(".opener").first().waitFor();
    return (await page.getByRole("button", { name: "Show older events" }).count()) > 0;
  });
  await page.getByRole("button", { name: "Show older events" }).press("Enter");
  await page.getByRole("button", { name: "Show older events" }).waitFor({ state: "hidden" });
  assert.match(await page.evaluate(() => document.activeElement.className), /opener/);

  // In a dialog the focus stays in it.
  await page.route("**/v1/exports/*", (route) => route.fulfill({ json: filesOf(route.request().url()) }));
  await page.goto(page.url().replace(/events.*/, `privacy?export=${acme.id}`));
  const files = page.getByRole("dialog", { name: "Files of the export" });
  await files.getByRole("button", { name: "Show more files" }).press("Enter");
  await files.getByRole("link", { name: "part-2" }).waitFor();
  await focused(page, "Files");
  assert.ok(await files.evaluate((element) => element.contains(document.activeElement)));
});

// Returns the texts that are announced from now on.
async function listen(page) {
  await page.evaluate(() => {
    window.said = [];
    const region = document.querySelector(".visually-hidden[aria-live]");
    new MutationObserver(() => region.textContent && window.said.push(region.textContent)).observe(region, { childList: true });
  });
  return () => page.evaluate(() => window.said);
}

// Returns an export with two pages of one file each.
function filesOf(url) {
  const isLast = url.includes("cursor=");
  const file = { name: isLast ? "part-2" : "part-1", url: "about:blank", rows: 1, bytes: 1, sha256: "0".repeat(64) };
  return { status: "done", manifest: "about:blank", files: [file], pagination: { next_cursor: isLast ? null : "more", has_more: !isLast } };
}

// Waits until the element with this name has the focus.
async function focused(page, name) {
  const nameOf = () => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent);
  await until(async () => (name instanceof RegExp ? name.test(await nameOf()) : (await nameOf()) === name));
}
