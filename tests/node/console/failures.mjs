// What is in place of a page: its session or its file could not be loaded, or it is of another session.
import assert from "node:assert/strict";
import { consoleOf, inspect, run, signIn, until } from "./harness.mjs";

const PROBLEM = { detail: "Service Unavailable", code: "unavailable", request_id: "r-42" };

await run(async ({ given, open }) => {
  const { acme, globex } = given;
  const page = await open(null, `keys?organization=${acme.subdomain}`);
  await signIn(page, acme, "Keys");

  // The session cannot be found: the first screen says so, and goes on.
  const refresh = "**/v1/auth/refresh";
  await page.route(refresh, (route) => route.fulfill({ status: 503, json: PROBLEM }));
  await page.reload();
  await page.getByRole("heading", { name: "Could not load the page" }).waitFor();
  await inspect(page, "no-session");
  await page.getByRole("button", { name: "Copy request id" }).click();
  await page.locator("#app [aria-live]").filter({ hasText: /^(?:Copied|Not copied)/ }).first().waitFor({ state: "attached" });
  const again = page.waitForResponse(refresh);
  await page.getByRole("button", { name: "Retry" }).press("Enter");
  await again;
  await until(() => page.evaluate(() => document.activeElement.textContent === "Retry"));
  await page.unroute(refresh);
  await page.keyboard.press("Enter");
  await page.getByRole("rowheader", { name: /First secret key/ }).waitFor();

  // The file of a page is gone after a release: the page is loaded again, with its state.
  const file = "**/console/usage-*.js";
  await page.route(file, (route) => route.fulfill({ status: 404 }));
  await page.getByRole("link", { name: "Usage" }).click();
  await page.getByRole("heading", { name: "The page could not be loaded" }).waitFor();
  await inspect(page, "page-gone");
  await page.unroute(file);
  await page.getByRole("button", { name: "Load it again" }).click();
  await page.getByRole("region", { name: "Events", exact: true }).or(page.getByText("Send your first event")).first().waitFor();

  // So is a page without a session.
  const door = "**/console/reset-*.js";
  await page.route(door, (route) => route.fulfill({ status: 404 }));
  await page.goto(`${consoleOf(given, null)}reset?organization=${acme.subdomain}`);
  await page.getByRole("heading", { name: "The page could not be loaded" }).waitFor();
  await inspect(page, "door-gone");
  await page.unroute(door);
  await page.getByRole("button", { name: "Load it again" }).click();
  await page.getByLabel("E-mail address").waitFor();

  // One tab goes back to an organization to which another tab has signed in: the page and its header are of that one.
  const { subdomain } = acme;
  await page.goto(`${consoleOf(given, null)}keys?organization=${subdomain}`);
  await page.getByRole("button", { name: /Super admin \(account\)$/ }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Organization").fill(globex.subdomain);
  await signIn(page, globex);
  assert.equal(await page.locator("header .organization").textContent(), "Globex");
  const other = await page.context().newPage();
  await other.goto(`${consoleOf(given, null)}sign-in?organization=${subdomain}`);
  await signIn(other, acme);
  await page.goBack();
  await page.getByRole("heading", { name: "Keys", level: 1 }).waitFor();
  await until(async () => (await page.locator("header .organization").textContent()) === "Acme");
});
