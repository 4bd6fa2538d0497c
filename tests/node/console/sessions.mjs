// Sessions: sign in, come back, reset, invite, expire, sign out; roles.
import assert from "node:assert/strict";
import { call, consoleOf, inspect, inspectDialog, mailedToken, run, signIn } from "./harness.mjs";

const PROBLEM = { detail: "Service Unavailable", code: "unavailable", request_id: "r-42" };
const PASSWORD = "seventeen purple bicycles";

await run(async ({ given, open, browser }) => {
  const { acme, globex } = given;

  // The shared host asks for the organization. A wrong password says so. Then the page that was asked for appears.
  const page = await open(null, "keys?status=all");
  await page.getByLabel("Organization").fill(acme.subdomain.toUpperCase());
  await page.getByLabel("E-mail address").fill(acme.admin_email);
  await page.getByLabel("Password", { exact: true }).fill("wrong");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByText("The organization, the e-mail address or the password is wrong").waitFor();
  await inspect(page, "sign-in-refused");
  await signIn(page, acme, "Keys");
  assert.match(page.url(), new RegExp(`keys\\?status=all&organization=${acme.subdomain}`));
  await page.reload();
  await page.getByRole("rowheader", { name: /First secret key/ }).waitFor();

  // Another organization in the URL is not the one of the session.
  await page.goto(`${consoleOf(given, null)}usage?organization=${globex.subdomain}`);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.equal(await page.getByLabel("Organization").inputValue(), globex.subdomain);

  // A sign-in returns only to pages of members. The organization of the session stays.
  for (const next of ["http://[", "sign-in?next=keys", "constructor", "a/b/keys", `keys?organization=${globex.subdomain}`]) {
    await page.goto(`${consoleOf(given, null)}sign-in?organization=${acme.subdomain}&next=${encodeURIComponent(next)}`);
    const title = next.startsWith("keys") ? "Keys" : "Usage";
    await page.getByRole("heading", { name: title, level: 1 }).waitFor();
    assert.match(page.url(), new RegExp(`${title.toLowerCase()}\\?organization=${acme.subdomain}$`), next);
  }

  // Keys of the keyboard.
  await page.goto(`${consoleOf(given, null)}usage?organization=${acme.subdomain}`);
  await page.getByRole("heading", { name: "Usage", level: 1 }).waitFor();
  await page.keyboard.press("?");
  const keys = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await keys.getByText("Filter of the page").waitFor();
  await inspect(page, "shortcuts");
  await keys.getByLabel("Use these keys").uncheck();
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.getByRole("button", { name: /\(account\)$/ }).click();
  await page.getByRole("button", { name: "Keyboard shortcuts" }).click();
  assert.equal(await keys.count(), 1);
  await keys.getByLabel("Use these keys").check();
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("k");
  await page.getByRole("heading", { name: "Keys", level: 1 }).waitFor();
  assert.match(page.url(), new RegExp(`keys\\?organization=${acme.subdomain}`));
  await page.setViewportSize({ width: 320, height: 640 });
  await page.getByRole("button", { name: "Pages" }).click();
  await inspect(page, "navigation");
  await page.goBack();
  await page.getByRole("heading", { name: "Usage", level: 1 }).waitFor();

  // A session that has ended keeps the page, and goes on after the password.
  await page.goto(`${consoleOf(given, null)}keys?organization=${acme.subdomain}`);
  await page.getByRole("button", { name: "Create key" }).click();
  const create = page.getByRole("dialog", { name: "Create key" });
  await create.getByLabel("Name").fill("Kept");
  const login = { organization: acme.subdomain, email: acme.admin_email, password: acme.admin_password };
  const tokens = (await call(given, "POST", "/auth/token", null, login)).document;
  assert.equal((await call(given, "POST", "/auth/logout-all", tokens.access_token)).status, 204);
  await create.getByRole("button", { name: "Create key" }).click();
  const ended = page.getByRole("dialog", { name: "Your session has ended" });
  await ended.getByLabel("Password", { exact: true }).fill(acme.admin_password);
  await inspect(page, "session-ended");
  await ended.getByRole("button", { name: "Sign in", exact: true }).click();
  const once = page.getByRole("dialog", { name: "Your new key" });
  await once.getByText("“Kept”").waitFor();
  await once.getByLabel("I have stored it").check();
  await once.getByRole("button", { name: "Done" }).click();

  // Another tab may sign in instead. Back keeps the dialog of a key, which is never shown again.
  await page.getByRole("link", { name: "Usage" }).click();
  await page.getByRole("link", { name: "Keys" }).click();
  await page.getByRole("button", { name: "Create key" }).click();
  await create.getByLabel("Name").fill("Stays");
  const later = (await call(given, "POST", "/auth/token", null, login)).document;
  assert.equal((await call(given, "POST", "/auth/logout-all", later.access_token)).status, 204);
  await create.getByRole("button", { name: "Create key" }).click();
  const opened = page.context().waitForEvent("page");
  await ended.getByRole("link", { name: "Use single sign-on in a new tab" }).click();
  const tab = await opened;
  await tab.getByRole("heading", { name: "Sign in" }).click();
  await tab.keyboard.press("?");
  assert.equal(await tab.getByRole("dialog").count(), 0);
  await signIn(tab, acme);
  await once.getByText("“Stays”").waitFor();
  assert.equal(await ended.count(), 0);
  await page.goBack();
  await page.waitForURL(/usage/);
  await once.getByRole("button", { name: "Copy the key" }).waitFor();
  await inspectDialog(page, "new-key-over-another-page");
  await tab.evaluate(() => new BroadcastChannel("console-session").postMessage("signed-out"));
  await page.waitForURL(/sign-in/);
  await once.getByLabel("I have stored it").check();
  await once.getByRole("button", { name: "Done" }).click();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1"); // the button that opened it is gone
  await tab.close();
  await page.goto(`${consoleOf(given, null)}keys?organization=${acme.subdomain}`);
  await page.getByRole("rowheader", { name: /Stays/ }).waitFor();

  // An invited viewer sees what the role may see.
  const address = `viewer@${acme.subdomain}.example`;
  const admin = (await call(given, "POST", "/auth/token", null, login)).document.access_token;
  assert.equal((await call(given, "POST", "/users", admin, { email: address, role: "viewer" })).status, 201);
  const invitation = await mailedToken(given, address);
  const viewer = await open(acme, `accept#token=${invitation}`);
  await viewer.getByRole("heading", { name: "Accept the invitation" }).waitFor();
  assert.doesNotMatch(viewer.url(), /ot_/);
  await viewer.evaluate(() => new BroadcastChannel("console-session").postMessage("signed-out"));
  await viewer.getByRole("link", { name: "Sign in instead" }).click();
  await viewer.getByRole("heading", { name: "Sign in" }).waitFor();
  await viewer.goBack();
  await viewer.getByLabel("Password", { exact: true }).fill("short");
  await viewer.getByRole("button", { name: "Accept the invitation" }).click();
  await viewer.locator(".fault:visible").waitFor();
  await inspect(viewer, "accept");
  await viewer.getByLabel("Name").fill("Vera Viewer");
  await viewer.getByLabel("Password", { exact: true }).fill(PASSWORD);
  let asked = 0;
  await viewer.route("**/v1/me", (route) => ((asked += 1) === 1 ? route.fulfill({ status: 500, json: PROBLEM }) : route.continue()));
  await viewer.getByRole("button", { name: "Accept the invitation" }).click();
  await viewer.getByRole("heading", { name: "Usage", level: 1 }).waitFor(); // though its member was not found at once
  await viewer.getByRole("region", { name: "Events", exact: true }).waitFor();
  assert.equal(await viewer.getByRole("link", { name: "Keys" }).count(), 0);
  await viewer.goto(`${consoleOf(given, acme)}keys`);
  await viewer.getByText("You may not see this page").waitFor();
  await inspect(viewer, "refused");
  const missing = await viewer.goto(`${consoleOf(given, acme)}nothing`);
  assert.equal(missing.status(), 404);
  await viewer.getByText("There is no page here").waitFor();
  await inspect(viewer, "no-page");
  await viewer.getByRole("button", { name: "Go to usage" }).click();
  await viewer.getByRole("heading", { name: "Usage", level: 1 }).waitFor();

  // A forgotten password.
  await viewer.goto(`${consoleOf(given, acme)}reset`);
  await viewer.getByLabel("E-mail address").fill(address);
  await inspect(viewer, "reset");
  await viewer.getByRole("button", { name: "Send the mail" }).click();
  await viewer.getByText("a mail is on its way").waitFor();
  const reset = await mailedToken(given, address, invitation);
  await viewer.goto(`${consoleOf(given, acme)}reset#token=${reset}`);
  await viewer.getByLabel("New password", { exact: true }).waitFor();
  await viewer.reload(); // the token was taken out of the URL
  await viewer.getByRole("button", { name: "I have a token" }).click();
  await viewer.getByLabel("Token").fill(reset);
  await viewer.getByLabel("New password", { exact: true }).fill("eighteen yellow tractors");
  await inspect(viewer, "new-password");
  await viewer.getByRole("button", { name: "Set the password" }).click();
  await viewer.getByText("The password is set.").waitFor();
  await viewer.getByRole("link", { name: "Sign in" }).click();
  await signIn(viewer, { admin_email: address, admin_password: "eighteen yellow tractors" });

  // Sign out, in all tabs.
  const other = await page.context().newPage();
  await other.goto(page.url());
  await other.getByRole("rowheader", { name: /Kept/ }).waitFor();
  await page.getByRole("button", { name: /Super admin \(account\)$/ }).click();
  await inspect(page, "account");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await other.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.equal((await page.context().cookies()).length, 0);
  return { contexts: browser.contexts().length };
});
