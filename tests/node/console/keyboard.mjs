// By keyboard alone: the first event, usage, events, keys and apps.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { run, sendEvents, until } from "./harness.mjs";
import { typeIn, typist } from "./typist.mjs";

await run(async ({ given, open }) => {
  const { globex } = given;
  const page = await open(globex, "usage");
  const { keyboard, dialog, heading, reach, press, type, save, go, choose, destroy } = typist(page);
  await typeIn(page, globex.admin_email, globex.admin_password, "Usage");

  // The first event: a key, the tabs of the snippets, and the event.
  await press("button", "Create a write key");
  const key = await page.locator(".secret code").textContent();
  await reach("tab", "curl");
  await keyboard.press("End");
  await page.getByRole("tab", { name: "OpenMeter", selected: true }).waitFor();
  await keyboard.press("ArrowLeft");
  await page.getByRole("tabpanel", { name: "Python" }).getByText(key).waitFor();
  await reach("button", "Copy the code");
  assert.equal((await sendEvents(given, key, 2)).status, 200);
  await page.getByText("Your first event is here.").waitFor();

  // Usage: the app, the days of the chart, the table and its file.
  await until(async () => {
    await page.reload();
    await page.getByRole("heading", { name: "Events of the month" }).waitFor();
    return (await page.getByRole("slider").count()) > 0;
  });
  await page.getByRole("option", { name: "Without an app" }).waitFor({ state: "attached" });
  await press("combobox", "App", "ArrowDown");
  await page.getByText("By the time of the event, of one app.").waitFor();
  assert.match(page.url(), /app=/);
  await press("slider", "Day of the month", "Home");
  assert.match(await page.getByRole("slider").getAttribute("aria-valuetext"), /^1 \w+(?: \(UTC\))?: /);
  await page.locator("summary").waitFor();
  for (let tab = 0; tab < 60 && !(await page.evaluate(() => document.activeElement.matches("summary"))); tab += 1) await keyboard.press("Tab");
  await keyboard.press("Enter");
  await page.getByRole("table", { name: "Events of each day" }).waitFor();
  const file = await save("Save as CSV");
  assert.match(await readFile(await file.path(), "utf8"), /^Day \(UTC\),Events,Since the month began\r?\n/);

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

  // The look, and the end of the session.
  await press("button", "Dark", "Enter");
  await until(() => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme === "dark"));
  await press("button", /\(account\)$/);
  await reach("button", "Sign out", "ArrowDown");
  await keyboard.press("Enter");
  await heading("Sign in");
});
