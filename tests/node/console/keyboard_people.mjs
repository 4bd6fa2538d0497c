// By keyboard alone: members from their invitation to their end, passwords and sessions, exports and erasures.
import assert from "node:assert/strict";
import { consoleOf, inspect, mailedToken, run, sendEvents, until } from "./harness.mjs";
import { typeIn, typist } from "./typist.mjs";

const PASSWORD = "seventeen purple bicycles";
const NEXT_PASSWORD = "eighteen yellow tractors";
const NAME = "Tina Typist";

await run(async ({ given, open }) => {
  const { globex } = given;
  assert.equal((await sendEvents(given, globex.write_key, 2)).status, 200);
  const page = await open(globex, "members", { mayVisit: new RegExp(`^${given.files_origin}/`) });
  const { keyboard, dialog, press, type, go, choose, confirm, destroy } = typist(page);
  await typeIn(page, globex.admin_email, globex.admin_password, "Members");

  // Members: invite, send again, and accept.
  const address = `typed@${globex.subdomain}.example`;
  await press("button", "Invite a member");
  await type("E-mail address", address);
  await press("button", "Send the invitation");
  await dialog("Invite a member").waitFor({ state: "detached" });
  const first = await mailedToken(given, address);
  await press("button", `Send again to ${address}`);
  const invitation = await mailedToken(given, address, first);
  const member = await join(given, open, invitation);

  // Another role, out and in again.
  await page.reload();
  await press("combobox", `Role of ${NAME}`, "ArrowUp");
  await press("button", "Change the role");
  await page.getByText(`${NAME} is Analyst.`).waitFor();
  await page.getByRole("button", { name: "Change the role" }).waitFor({ state: "hidden" }); // with the list's new rows
  await choose(`Actions for ${NAME}`, "Disable the member");
  await confirm("Disable the member");
  await page.getByRole("cell", { name: "Disabled" }).waitFor();
  await choose(`Actions for ${NAME}`, "Let the member in again");
  await page.getByText(`${NAME} can sign in.`).waitFor();
  await resetPassword(given, member, address, [first, invitation]);
  await choose(`Actions for ${NAME}`, "Remove the member");
  await destroy("Remove the member", "Type the address", address);

  // Privacy: an export with its files, and an erasure.
  await go("p", "Privacy");
  await press("button", "Request an export");
  await confirm("Request an export");
  await until(async () => {
    await fetch(given.jobs_url, { method: "POST", body: "{}" });
    return (await page.getByRole("button", { name: /^Files of the export/ }).count()) > 0;
  });
  await press("button", /^Files of the export/);
  await dialog("Files of the export").getByRole("link", { name: "manifest.json" }).waitFor();
  await inspect(page, "export-files");
  const isElsewhere = (request) => new URL(request.url()).origin !== new URL(page.url()).origin;
  const asked = page.context().waitForEvent("request", isElsewhere);
  await press("link", "manifest.json");
  assert.equal(new URL((await asked).url()).origin, given.files_origin);
  await keyboard.press("Escape");
  await typist(page).isClosed();
  await press("button", "Erase a data subject");
  await type("Id", "device-1");
  await keyboard.press("Enter");
  await destroy("Erase the data subject", "Type the id", "device-1");

  // Settings: the rotation, the name, and the dialog before the end.
  await go("s", "Settings");
  await type("Days until a key is to be rotated", "30");
  await keyboard.press("Enter");
  await page.getByText("to be rotated 30 days after").waitFor();
  await type("Name", "Ada Admin");
  await keyboard.press("Enter");
  await page.getByRole("button", { name: /^Ada Admin .*\(account\)$/ }).waitFor();
  await press("button", "Delete the organization");
  await dialog("Delete the organization").waitFor();
  await keyboard.press("Escape");
});

// Accept the invitation. The token is in the URL of the mail.
async function join(given, open, token) {
  const page = await open(given.globex, `accept#token=${token}`);
  const { keyboard, heading, press, type } = typist(page);
  await heading("Accept the invitation");
  await type("Name", NAME);
  await type("Password", "short");
  await keyboard.press("Enter");
  await page.locator(".fault:visible").waitFor();
  await type("Password", PASSWORD);
  await press("button", "Accept the invitation");
  await heading("Usage");
  return page;
}

// Sign out everywhere, ask for the mail, set another password, and change that one, too.
async function resetPassword(given, page, address, earlier) {
  const { heading, press, type, go, confirm } = typist(page);
  await page.goto(`${consoleOf(given, given.globex)}sign-in`);
  await typeIn(page, address, PASSWORD, "Usage");
  await go("s", "Settings");
  await press("button", "Sign out everywhere");
  await confirm("Sign out everywhere");
  await heading("Sign in");
  await press("link", "Forgot the password?");
  await heading("Set a password");
  await type("E-mail address", address);
  await press("button", "Send the mail");
  await page.getByText("a mail is on its way").waitFor();
  const token = await mailedToken(given, address, ...earlier);
  await press("link", "Back to sign in");
  await heading("Sign in");
  await page.goto(`${consoleOf(given, given.globex)}reset#token=${token}`);
  await type("New password", NEXT_PASSWORD);
  await press("button", "Set the password");
  await page.getByText("The password is set.").waitFor();
  await press("link", "Sign in");
  await heading("Sign in");
  await typeIn(page, address, NEXT_PASSWORD, "Usage");
  await go("s", "Settings");
  await type("Present password", NEXT_PASSWORD);
  await type("New password", PASSWORD);
  await press("button", "Change the password");
  await page.getByText("The password is changed.").waitFor();
}
