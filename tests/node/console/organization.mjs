// Members, apps, privacy and settings: an invitation that is accepted, an erasure, and the deletion of the organization
// at the end.
import assert from "node:assert/strict";
import { call, inspect, inspectDialog, mailedToken, run, signIn, tabTo, until } from "./harness.mjs";

const PASSWORD = "seventeen purple bicycles";

await run(async ({ given, open }) => {
  const { acme } = given;
  const page = await open(acme, "members");
  await signIn(page, acme, "Members");

  // Members: invite, and accept.
  await page.getByRole("rowheader", { name: /admin@/ }).waitFor();
  const address = `vera@${acme.subdomain}.example`;
  await page.getByRole("heading", { name: "Members", level: 1 }).focus();
  await tabTo(page, "button", "Invite a member");
  await page.keyboard.press("Enter");
  const invite = page.getByRole("dialog", { name: "Invite a member" });
  await page.keyboard.press("Enter");
  await invite.locator(".fault:visible").waitFor();
  await inspect(page, "invite");
  await page.keyboard.type(address);
  await page.keyboard.press("Enter");
  await page.getByRole("rowheader", { name: new RegExp(address) }).waitFor();
  const first = await mailedToken(given, address);
  await page.getByRole("button", { name: `Send again to ${address}` }).click();
  const invitation = await mailedToken(given, address, first);
  await inspect(page, "members");
  const viewer = await open(acme, `accept#token=${invitation}`);
  await viewer.getByLabel("Name").fill("Vera Viewer");
  await viewer.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await viewer.getByRole("button", { name: "Accept the invitation" }).click();
  await viewer.getByRole("heading", { name: "Usage", level: 1 }).waitFor();

  // A viewer sees what the role may see.
  const entries = await viewer.getByRole("navigation", { name: "Pages" }).getByRole("link").allTextContents();
  assert.deepEqual(entries, ["Usage", "Settings"]);
  await viewer.getByRole("link", { name: "Settings" }).click();
  await viewer.getByText("Your role may not delete Acme.").waitFor();
  assert.equal(await viewer.getByLabel("Days until a key is to be rotated").count(), 0);
  await inspect(viewer, "settings-viewer");
  await viewer.goto(viewer.url().replace("settings", "members"));
  await viewer.getByText("You may not see this page").waitFor();

  // Another role, and no more.
  await page.reload();
  await page.getByRole("row", { name: /Vera Viewer/ }).getByText(/now|seconds? ago|minutes? ago/).waitFor(); // her sign-in
  const role = page.getByLabel("Role of Vera Viewer");
  for (const [key, chosen] of [["ArrowUp", "analyst"], ["ArrowUp", "admin"], ["ArrowDown", "analyst"]]) {
    await role.press(key);
    assert.equal(await role.inputValue(), chosen);
    assert.ok(await role.evaluate((element) => element === document.activeElement), chosen);
  }
  await inspect(page, "change-role");
  await page.getByRole("button", { name: "Change the role" }).press("Enter");
  await page.getByText("Vera Viewer is Analyst.").waitFor();
  await inspect(page, "toast", ".toasts");
  await until(() => role.evaluate((element) => element === document.activeElement));
  await viewer.reload();
  await viewer.getByRole("rowheader", { name: /Vera Viewer/ }).waitFor();
  assert.equal(await viewer.getByRole("combobox").count(), 0);
  assert.equal(await viewer.getByRole("button", { name: "Invite a member" }).count(), 0);
  await viewer.getByRole("link", { name: "Settings" }).click();
  await viewer.getByRole("button", { name: "Sign out everywhere" }).click();
  await inspectDialog(viewer, "sign-out-everywhere");
  await viewer.getByRole("dialog").getByRole("button", { name: "Sign out everywhere" }).click();
  await viewer.getByRole("heading", { name: "Sign in" }).waitFor();
  const own = page.getByLabel(/^Role of admin@/);
  await own.press("ArrowDown");
  await page.getByRole("button", { name: "Change the role" }).press("Enter");
  await inspectDialog(page, "own-role");
  await page.keyboard.press("Escape");
  await own.press("ArrowUp");
  await page.getByRole("button", { name: "Actions for Vera Viewer" }).click();
  await page.getByRole("button", { name: "Disable the member" }).click();
  await inspectDialog(page, "disable-member");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Actions for Vera Viewer" }).click();
  await page.getByRole("button", { name: "Remove the member" }).click();
  await inspectDialog(page, "remove-member");
  const remove = page.getByRole("dialog", { name: "Remove the member" });
  await remove.getByLabel(/Type the address/).fill(address);
  await remove.getByRole("button", { name: "Remove the member" }).click();
  await page.getByRole("rowheader", { name: /Vera/ }).waitFor({ state: "detached" });

  // Apps.
  await page.getByRole("link", { name: "Apps" }).click();
  await page.getByRole("button", { name: "Create app" }).click();
  const create = page.getByRole("dialog", { name: "Create app" });
  await create.getByLabel("Name").fill("Shop");
  await create.getByRole("button", { name: "Create app" }).click();
  await create.locator(".fault:visible").waitFor();
  await inspect(page, "create-app");
  await create.getByLabel("Platform").fill("ios");
  await create.getByRole("button", { name: "Create app" }).click();
  await page.getByRole("button", { name: "Actions for Shop" }).click();
  await inspect(page, "apps");
  await page.getByRole("button", { name: "Change app" }).click();
  const change = page.getByRole("dialog", { name: "Change app" });
  await inspectDialog(page, "change-app");
  await change.getByLabel("Name").fill("Shop 2");
  await change.getByRole("button", { name: "Change app" }).click();
  await page.getByRole("button", { name: "Actions for Shop 2" }).click();
  await page.getByRole("button", { name: "Delete app" }).click();
  const deletion = page.getByRole("dialog", { name: "Delete app" });
  await deletion.getByText("It has no live keys.").waitFor();
  await inspectDialog(page, "delete-app");
  await deletion.getByLabel("Type the name: Shop 2").fill("Shop 2");
  await deletion.getByRole("button", { name: "Delete app" }).click();
  await page.getByRole("rowheader", { name: "Shop 2" }).waitFor({ state: "detached" });

  // Privacy: an export and an erasure.
  await page.getByRole("link", { name: "Privacy" }).click();
  await page.getByText("No exports yet").waitFor();
  await page.getByRole("button", { name: "Request an export" }).click();
  await inspectDialog(page, "request-export");
  await page.getByRole("dialog").getByRole("button", { name: "Request an export" }).click();
  await page.getByText("Being written").waitFor();
  await page.getByRole("button", { name: "Erase a data subject" }).click();
  await page.getByLabel("Id", { exact: true }).fill("device-1");
  await inspect(page, "erase");
  await page.getByRole("button", { name: "Go on" }).click();
  const erase = page.getByRole("dialog", { name: "Erase the data subject" });
  await erase.getByLabel("Type the id: device-1").fill("device-2");
  await erase.getByRole("button", { name: "Erase the data subject" }).click();
  await erase.getByText("The name differs.").waitFor();
  await inspect(page, "erase-confirm");
  await erase.getByLabel("Type the id: device-1").fill("device-1");
  await erase.getByRole("button", { name: "Erase the data subject" }).click();
  await page.getByRole("cell", { name: "A device" }).waitFor();
  await inspect(page, "privacy");

  // Settings: rotation, a new password, and the end of the organization.
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByLabel("Days until a key is to be rotated").fill("30");
  await page.getByRole("button", { name: "Save the rotation" }).click();
  await page.getByText("to be rotated 30 days after").waitFor();
  await page.getByLabel("Present password", { exact: true }).fill("wrong");
  await page.getByLabel("New password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Change the password" }).click();
  await page.locator(".fault:visible").waitFor();
  await inspect(page, "settings");
  await page.getByLabel("Present password", { exact: true }).fill(acme.admin_password);
  await page.getByRole("button", { name: "Change the password" }).click();
  await page.getByText("The password is changed.").waitFor();
  await page.getByRole("button", { name: "Delete the organization" }).click();
  const end = page.getByRole("dialog", { name: "Delete the organization" });
  await end.getByLabel("Reason").fill("The contract has ended.");
  await end.getByLabel(/Type the name of the organization/).fill("Globex");
  await end.getByRole("button", { name: "Delete the organization" }).click();
  await end.getByText("The name differs.").waitFor();
  await inspect(page, "delete");
  await end.getByLabel(/Type the name of the organization/).fill("Acme");
  await end.getByRole("button", { name: "Delete the organization" }).click();
  await page.getByRole("heading", { name: "Acme is deleted" }).waitFor();
  await inspect(page, "deleted");
  await until(async () => (await call(given, "GET", "/usage", acme.secret_key)).status === 403);
});
