// By keyboard alone: branding, domains, sign-on and the audit log.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { inspectDialog, run } from "./harness.mjs";
import { typeIn, typist } from "./typist.mjs";

await run(async ({ given, open }) => {
  const { acme } = given;
  const page = await open(acme, "branding");
  const { keyboard, dialog, isClosed, reach, press, type, paste, save, go, destroy } = typist(page);
  await typeIn(page, acme.admin_email, acme.admin_password, "Branding");

  // Branding: a colour, which is seen at once.
  await type("Primary color", "#0f766e");
  await press("button", "Save the branding");
  await page.getByText("The branding is saved.").waitFor();
  assert.equal(await page.locator("html").evaluate((element) => element.style.getPropertyValue("--accent-mark-light")), "#0f766e");

  // Domains: claim, verify, and take back.
  const domain = `www.${acme.subdomain}.com`;
  await go("d", "Domains");
  await press("button", "Add domain");
  await type("Domain", domain);
  await keyboard.press("Enter");
  await isClosed();
  await press("button", "Verify now");
  await page.getByText(/^Last check /).waitFor();
  await reach("button", "Copy name of Ownership");
  await press("button", `Remove ${domain}`);
  await destroy("Remove domain", "Type the name", domain);

  // Sign-on: set a connection, change it, and remove it.
  await go("o", "Sign-on");
  await press("button", "Connect a provider");
  await press("radio", /OpenID/, "ArrowDown");
  await dialog("Connect a provider").getByText("URL for answers (ACS)", { exact: true }).waitFor();
  await paste("Or the metadata itself", given.metadata);
  await press("combobox", "Role of new members", "ArrowDown");
  await press("button", "Connect the provider");
  await page.getByText("The connection is set.").waitFor();
  const connection = page.getByRole("region", { name: "Connection" });
  await connection.getByText("Passwords work beside it").waitFor();
  await connection.getByText("Analyst").waitFor();
  await isClosed();
  await press("button", "Change the connection");
  await paste("Or the metadata itself", given.metadata);
  await press("combobox", "Role of new members", "ArrowUp");
  await press("button", "Change the connection");
  await connection.getByText("Viewer").waitFor();
  await isClosed();

  // An e-mail domain: claim, verify, and take back.
  const mail = `${acme.subdomain}.com`;
  await press("button", "Add e-mail domain");
  await type("Domain", mail);
  await keyboard.press("Enter");
  await isClosed();
  await press("button", `Verify ${mail}`);
  await page.getByRole("article", { name: mail }).locator(".notice").waitFor();
  await press("button", `Remove ${mail}`);
  await inspectDialog(page, "remove-email-domain");
  await destroy("Remove e-mail domain", "Type the name", mail);
  await press("button", "Remove the connection");
  await destroy("Remove connection", "Type the name", "SAML 2.0");

  // Audit: an entry, the file, and the chain.
  await go("l", "Audit");
  await reach("button", /, \S+(?: \/\S+)?$/);
  await keyboard.press("ArrowDown");
  await keyboard.press("Enter");
  await page.getByRole("region", { name: "The entry" }).getByText("Number in the chain").waitFor();
  await keyboard.press("Escape");
  const file = await save("Save as CSV");
  assert.match(await readFile(await file.path(), "utf8"), /^sequence,id,occurred_at/);
  await press("button", "Verify the chain");
  await dialog("Verify the chain").waitFor();
  await press("button", "Verify the chain");
  await dialog("Verify the chain").getByText("Valid", { exact: true }).waitFor();
  await keyboard.press("Escape");
});
