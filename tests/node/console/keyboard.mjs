// The main flows of each page by keyboard alone: no mouse, and no script that sets a value or a focus.
import assert from "node:assert/strict";
import { call, inspect, run, sendEvents, until } from "./harness.mjs";

const MOST_TABS = 120;

await run(async ({ given, open }) => {
  const { globex } = given;
  const overrides = { white_label: true, sso: true };
  await call(given, "PATCH", `/organizations/${globex.id}`, given.platform_key, { overrides });
  assert.equal((await sendEvents(given, globex.write_key, 2)).status, 200);
  const page = await open(globex, "usage");
  const { keyboard } = page;
  const heading = (name) => page.getByRole("heading", { name, level: 1 }).waitFor();
  const dialog = (name) => page.getByRole("dialog", { name });
  // Press Tab, or the arrow of a menu, up to an element of the dialog that is open, or of the page.
  const reach = async (role, name, key = "Tab") => {
    const within = (await page.locator("dialog[open]").count()) > 0 ? page.locator("dialog[open]").last() : page;
    const wanted = within.getByRole(role, { name, exact: true }).first();
    await wanted.waitFor();
    for (let press = 0; press < MOST_TABS; press += 1) {
      if (await wanted.evaluate((element) => element === document.activeElement)) return;
      await keyboard.press(key);
    }
    throw new Error(`${key} does not reach the ${role} ${name}.`);
  };
  const press = async (role, name, key = "Enter") => {
    await reach(role, name);
    await keyboard.press(key);
  };
  const type = async (name, text, role = "textbox") => {
    await reach(role, name);
    await keyboard.press("ControlOrMeta+A");
    await keyboard.type(text);
  };
  const isClosed = () => page.locator("dialog[open]").first().waitFor({ state: "detached" });
  const go = async (letter, title) => {
    await isClosed();
    await keyboard.press("g");
    await keyboard.press(letter);
    await heading(title);
  };
  // Open the menu of a row, and go down to an action.
  const choose = async (menu, action) => {
    await isClosed();
    await press("button", menu);
    await reach("button", action, "ArrowDown");
    await keyboard.press("Enter");
  };
  // Type the name in the dialog before something is gone.
  const destroy = async (title, label, text) => {
    await dialog(title).waitFor();
    await type(`${label}: ${text}`, text);
    await keyboard.press("Enter");
    await dialog(title).waitFor({ state: "detached" });
  };

  // Sign in. The first field has the focus.
  await keyboard.type(globex.admin_email);
  await keyboard.press("Tab");
  await keyboard.type(globex.admin_password);
  await keyboard.press("Enter");
  await heading("Usage");

  // Usage: the app, the days of the chart, the table.
  await page.getByRole("option", { name: "Without an app" }).waitFor({ state: "attached" });
  await press("combobox", "App", "ArrowDown");
  await until(() => page.url().includes("app="));
  await press("slider", "Day of the month", "Home");
  assert.match(await page.getByRole("slider").getAttribute("aria-valuetext"), /^1 \w+: /);
  await page.locator("summary").waitFor();
  for (let tab = 0; tab < MOST_TABS && !(await page.evaluate(() => document.activeElement.matches("summary"))); tab += 1) await keyboard.press("Tab");
  await keyboard.press("Enter");
  await page.getByRole("table", { name: "Events of each day" }).waitFor();

  // Events: a filter, an event, and where it is.
  await go("e", "Events");
  await keyboard.press("/");
  await keyboard.type("Signed Up");
  await keyboard.press("Enter");
  await page.getByRole("button", { name: /, Signed Up$/ }).first().waitFor();
  await press("button", "Remove the filter Name: Signed Up");
  await page.getByRole("button", { name: /^Remove the filter/ }).waitFor({ state: "detached" });
  await press("button", "Where is my event?");
  await type("Ids of events", "nowhere");
  await press("button", "Find");
  await dialog("Where is my event?").getByText("Unknown", { exact: true }).waitFor();
  await keyboard.press("Escape");

  // Keys: create, rotate and revoke.
  await go("k", "Keys");
  await press("button", "Create key");
  await type("Name", "Typed");
  await keyboard.press("Enter");
  await dialog("Your new key").waitFor();
  await press("checkbox", "I have stored it", "Space");
  await press("button", "Done");
  await choose("Actions for Typed", "Rotate key");
  await dialog("Rotate key").waitFor();
  await press("combobox", "Overlap", "ArrowUp");
  await press("button", "Rotate key");
  await dialog("The new key").waitFor();
  await press("checkbox", "I have stored it", "Space");
  await press("button", "Done");
  await page.getByText(/^Ends in/).waitFor();
  await choose("Actions for Typed", "Revoke key");
  await destroy("Revoke key", "Type the name", "Typed");

  // Members: invite with another role, change it, remove.
  const address = `typed@${globex.subdomain}.example`;
  await go("m", "Members");
  await press("button", "Invite a member");
  await type("E-mail address", address);
  await press("button", "Send the invitation");
  await dialog("Invite a member").waitFor({ state: "detached" });
  await press("combobox", `Role of ${address}`, "ArrowUp");
  await press("button", "Change the role");
  await until(async () => (await page.getByLabel(`Role of ${address}`).inputValue()) === "analyst");
  await choose(`Actions for ${address}`, "Remove the member");
  await destroy("Remove the member", "Type the address", address);

  // Apps: create, change, delete.
  await go("a", "Apps");
  await press("button", "Create app");
  await type("Name", "Kiosk");
  await type("Platform", "web", "combobox");
  await press("button", "Create app");
  await choose("Actions for Kiosk", "Change app");
  await type("Name", "Kiosk 2");
  await keyboard.press("Enter");
  await choose("Actions for Kiosk 2", "Delete app");
  await destroy("Delete app", "Type the name", "Kiosk 2");

  // Branding: a colour, which is seen at once.
  await go("b", "Branding");
  await type("Primary color", "#0f766e");
  await press("button", "Save the branding");
  await page.getByText("The branding is saved.").waitFor();
  assert.equal(await page.locator("html").evaluate((element) => element.style.getPropertyValue("--accent-mark-light")), "#0f766e");

  // Domains and sign-on: claim, and take back.
  const domain = `www.${globex.subdomain}.com`;
  await go("d", "Domains");
  await press("button", "Add domain");
  await type("Domain", domain);
  await keyboard.press("Enter");
  await isClosed();
  await press("button", `Remove ${domain}`);
  await destroy("Remove domain", "Type the name", domain);
  await go("o", "Sign-on");
  await press("button", "Connect a provider");
  await press("radio", /OpenID/, "ArrowDown");
  await dialog("Connect a provider").getByText("URL for answers (ACS)", { exact: true }).waitFor();
  await keyboard.press("Escape");

  // Audit: an entry, and the chain.
  await go("l", "Audit");
  await reach("button", /, \S+(?: \/\S+)?$/);
  await keyboard.press("ArrowDown");
  await keyboard.press("Enter");
  await page.getByRole("region", { name: "The entry" }).getByText("Number in the chain").waitFor();
  await keyboard.press("Escape");
  await press("button", "Verify the chain");
  await dialog("Verify the chain").waitFor();
  await press("button", "Verify the chain");
  await dialog("Verify the chain").getByText("Valid", { exact: true }).waitFor();
  await keyboard.press("Escape");

  // Privacy: an export and an erasure.
  await go("p", "Privacy");
  await press("button", "Request an export");
  await dialog("Request an export").waitFor();
  await press("button", "Request an export");
  await dialog("Request an export").waitFor({ state: "detached" });
  await until(async () => {
    await fetch(given.jobs_url, { method: "POST", body: "{}" });
    return (await page.getByRole("button", { name: /^Files of the export/ }).count()) > 0;
  });
  await press("button", /^Files of the export/);
  await dialog("Files of the export").getByRole("link", { name: "manifest.json" }).waitFor();
  await inspect(page, "export-files");
  await keyboard.press("Escape");
  await isClosed();
  await press("button", "Erase a data subject");
  await type("Id", "device-1");
  await keyboard.press("Enter");
  await destroy("Erase the data subject", "Type the id", "device-1");

  // Settings, the look, and the end of the session.
  await go("s", "Settings");
  await type("Days until a key is to be rotated", "30");
  await keyboard.press("Enter");
  await page.getByText("to be rotated 30 days after").waitFor();
  await press("button", "Delete the organization");
  await dialog("Delete the organization").waitFor();
  await keyboard.press("Escape");
  await press("button", "Dark", "Enter");
  await until(() => page.evaluate(() => matchMedia && getComputedStyle(document.documentElement).colorScheme === "dark"));
  await press("button", /\(account\)$/);
  await reach("button", "Sign out", "ArrowDown");
  await keyboard.press("Enter");
  await heading("Sign in");
});
