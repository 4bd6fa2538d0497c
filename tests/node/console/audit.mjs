// Audit: more entries than a page. Older ones are added, stay, and are found by their link.
import assert from "node:assert/strict";
import { call, consoleOf, inspect, run, signIn, until } from "./harness.mjs";

const PAGE_ROWS = 50;
const AT_ONCE = 4;
const OLDER = /\/v1\/audit\?.*cursor=/;
const PROBLEM = { detail: "Internal Server Error", code: "internal", request_id: "r-42" };

await run(async ({ given, open }) => {
  const { globex } = given;
  const login = { organization: globex.subdomain, email: globex.admin_email, password: globex.admin_password };
  const admin = (await call(given, "POST", "/auth/token", null, login)).document.access_token;
  for (let at = 0; at < PAGE_ROWS + 10; at += AT_ONCE) {
    const made = Array.from({ length: AT_ONCE }, (_, more) => ({ type: "secret", name: `Key ${at + more}`, scopes: ["usage:read"] }));
    const answers = await Promise.all(made.map((body) => call(given, "POST", "/keys", admin, body)));
    for (const { status } of answers) assert.equal(status, 201);
  }
  const page = await open(globex, "audit");
  await signIn(page, globex, "Audit");
  const openers = page.locator(".opener");
  const older = page.getByRole("button", { name: "Show older entries" });
  await until(async () => (await openers.count()) === PAGE_ROWS);

  // The shown entries stay if older ones cannot be loaded. The next press requests them again.
  await page.route(OLDER, (route) => route.fulfill({ status: 500, json: PROBLEM }));
  await older.press("Enter");
  await page.getByText("Not loaded: Internal Server Error").waitFor();
  await inspect(page, "failure-toast", ".toasts");
  assert.equal(await openers.count(), PAGE_ROWS);
  await page.unroute(OLDER);
  await older.press("Enter");
  await until(async () => (await openers.count()) > PAGE_ROWS);
  assert.ok(await openers.nth(PAGE_ROWS).evaluate((element) => element === document.activeElement));

  // The link of an older entry opens it. A message names a missing entry.
  await openers.nth(PAGE_ROWS + 5).press("Enter");
  const details = page.getByRole("region", { name: "The entry" });
  await details.getByText("Number in the chain").waitFor();
  await page.reload();
  await details.getByText("Number in the chain").waitFor();
  assert.equal(await page.locator("tr.opened").count(), 1);
  await page.goto(`${consoleOf(given, globex)}audit?entry=00000000-0000-4000-8000-000000000000`);
  await page.getByText(/^The entry is not among the newest \d+ that match the filters\.$/).waitFor();
});
