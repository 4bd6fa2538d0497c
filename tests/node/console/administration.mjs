// Domains, sign-on and audit: a domain goes live, a record differs, a provider is connected, the chain is verified.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { call, consoleOf, inspect, inspectDialog, run, signIn, tabTo, until } from "./harness.mjs";

await run(async ({ given, open }) => {
  const { acme, globex } = given;
  const without = await open(globex, "domains");
  await signIn(without, globex, "Domains");
  await without.getByText("A domain of your own is not included in the tier growth").waitFor();
  await inspect(without, "domains-not-included");
  await without.context().close();

  // Domains: one by keyboard alone. A name that cannot be served is refused at its field.
  const page = await open(acme, "domains");
  await signIn(page, acme, "Domains");
  await page.getByRole("heading", { name: "Domains", level: 1 }).focus();
  await tabTo(page, "button", "Add domain");
  await page.keyboard.press("Enter");
  const add = page.getByRole("dialog", { name: "Add domain" });
  await inspectDialog(page, "add-domain");
  await page.keyboard.type("co.uk");
  await page.keyboard.press("Enter");
  await add.locator(".fault:visible").waitFor();
  await inspectDialog(page, "add-domain-refused");
  await add.getByLabel("Domain").fill(given.domains.differs);
  await page.keyboard.press("Enter");
  const differs = page.getByRole("region", { name: given.domains.differs });
  await differs.getByText("The platform looks for no record until you verify the domain.").waitFor();
  assert.match(page.url(), new RegExp(`domain=${given.domains.differs}`));
  await differs.getByRole("button", { name: "Verify now" }).click();
  await differs.getByText("The TXT record has another value than the record for Ownership.").waitFor();
  await differs.getByText("Has another value", { exact: true }).waitFor();
  await differs.getByText(/^Last check .* · next check/).waitFor();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await differs.getByRole("button", { name: "Copy name of Ownership" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `_tenancy-domain.${given.domains.differs}`);
  await inspect(page, "domains-differs");

  // A claim whose records are there goes live.
  const live = page.getByRole("region", { name: given.domains.live });
  await live.getByRole("button", { name: "Verify now" }).click();
  await live.getByText("Being set up").waitFor();
  await live.getByText("Routing", { exact: true }).waitFor();
  await inspect(page, "domains-verified");
  await until(async () => {
    await fetch(given.sweep_url, { method: "POST", body: "{}" });
    const answer = await call(given, "GET", `/domains/${given.domains.live}`, acme.secret_key);
    return answer.document.status === "active";
  });
  await live.getByRole("button", { name: "Verify now" }).click();
  await live.locator(".step-done").nth(3).waitFor();
  await inspect(page, "domains-live");
  await live.getByRole("button", { name: /^Remove/ }).click();
  const remove = page.getByRole("dialog", { name: "Remove domain" });
  await inspectDialog(page, "remove-domain");
  await remove.getByLabel(`Type the name: ${given.domains.live}`).fill(given.domains.live);
  await remove.getByRole("button", { name: "Remove domain" }).click();
  await live.getByText("Being removed").waitFor();

  // Sign-on: a provider that cannot be used is refused at its field. The URLs to register are there before.
  await page.goto(`${consoleOf(given, acme)}sign-on`);
  await page.getByText("No connection yet").waitFor();
  await page.getByRole("button", { name: "Connect a provider" }).click();
  const connect = page.getByRole("dialog", { name: "Connect a provider" });
  await connect.getByText(`/v1/auth/sso/callback/${acme.id}`).waitFor();
  await connect.getByLabel("Issuer").fill("https://127.0.0.1");
  await connect.getByLabel("Client id").fill("tenancy");
  await connect.getByLabel("Client secret").fill("secret");
  await connect.getByRole("button", { name: "Connect the provider" }).click();
  await connect.locator(".fault:visible").first().waitFor();
  assert.equal(await connect.getByLabel("Issuer").getAttribute("aria-invalid"), "true");
  await inspect(page, "sign-on-refused");
  await connect.getByRole("radio", { name: /SAML/ }).check();
  await connect.getByText("URL for answers (ACS)", { exact: true }).waitFor();
  await connect.getByLabel("Or the metadata itself").fill(given.metadata);
  await connect.getByLabel("Role of new members").selectOption("analyst");
  await connect.getByRole("button", { name: "Connect the provider" }).click();
  await page.getByText("The connection is set.").waitFor();
  const connection = page.getByRole("region", { name: "Connection" });
  await connection.getByText("Passwords work beside it").waitFor();
  await connection.getByText("Analyst").waitFor();
  await page.getByRole("button", { name: "Change the connection" }).click();
  await inspectDialog(page, "change-connection");
  await page.keyboard.press("Escape");

  // An e-mail domain, whose record is there, and one without a record.
  await page.getByRole("button", { name: "Add e-mail domain" }).click();
  const claim = page.getByRole("dialog", { name: "Add e-mail domain" });
  await inspectDialog(page, "add-email-domain");
  await claim.getByLabel("Domain").fill("co.uk");
  await claim.getByRole("button", { name: "Add e-mail domain" }).click();
  await claim.locator(".fault:visible").waitFor();
  await inspectDialog(page, "add-email-domain-refused");
  await claim.getByLabel("Domain").fill(given.domains.differs);
  await claim.getByRole("button", { name: "Add e-mail domain" }).click();
  await page.getByRole("button", { name: `Verify ${given.domains.differs}` }).click();
  await page.getByText("There is no TXT record at the name below.").waitFor();
  await page.getByRole("button", { name: `Verify ${given.domains.mail}` }).click();
  await page.getByRole("article", { name: given.domains.mail }).getByText(/^Verified on/).waitFor();
  await inspect(page, "sign-on");
  await page.getByRole("button", { name: "Remove the connection" }).click();
  const end = page.getByRole("dialog", { name: "Remove connection" });
  await inspectDialog(page, "remove-connection");
  await end.getByLabel("Type the name: SAML 2.0").fill("SAML 2.0");
  await end.getByRole("button", { name: "Remove connection" }).click();
  await page.getByText("No connection yet").waitFor();

  // Audit: filters in the URL, the details of an entry by keyboard, CSV.
  await page.goto(`${consoleOf(given, acme)}audit?action=custom_domain.claimed`);
  const opener = page.getByRole("button", { name: /, custom_domain.claimed$/ });
  await opener.first().waitFor();
  assert.equal(await opener.count(), 2);
  await page.getByText("Action: custom_domain.claimed").waitFor();
  await opener.first().focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  const details = page.getByRole("region", { name: "The entry" });
  await details.getByText("Number in the chain").waitFor();
  assert.match(page.url(), /entry=/);
  await inspect(page, "audit-entry");
  await page.reload();
  await details.getByText("Number in the chain").waitFor();
  await details.getByRole("button", { name: "Close the entry" }).press("Escape");
  await details.waitFor({ state: "hidden" });
  assert.match(await page.evaluate(() => document.activeElement.textContent), /custom_domain.claimed$/);
  await page.setViewportSize({ width: 320, height: 640 });
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText("Number in the chain").waitFor();
  await inspectDialog(page, "audit-dialog");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.match(await page.evaluate(() => document.activeElement.textContent), /custom_domain.claimed$/);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as CSV" }).click()]);
  const lines = (await readFile(await download.path(), "utf8")).trim().split(/\r?\n/);
  assert.equal(lines.length, 3);
  assert.match(lines[0], /^sequence,id,occurred_at/);
  await page.getByRole("button", { name: /Remove the filter/ }).click();
  await page.getByRole("button", { name: /, session.started$/ }).first().waitFor();

  // The chain, and then from its seal.
  await page.getByRole("button", { name: "Verify the chain" }).click();
  const chain = page.getByRole("dialog", { name: "Verify the chain" });
  await chain.getByLabel("Seal of an earlier verification").fill("25");
  await chain.getByRole("button", { name: "Verify the chain" }).click();
  await chain.getByText("Expected a sequence, a colon and a seal of 64 digits.").waitFor();
  await chain.getByLabel("Seal of an earlier verification").fill("");
  await chain.getByRole("button", { name: "Verify the chain" }).click();
  await chain.getByText("Valid", { exact: true }).waitFor();
  const seal = await chain.locator(".copy-lines code").textContent();
  await inspect(page, "audit-chain");
  await chain.getByLabel("Seal of an earlier verification").fill(seal.replace(/.$/, (digit) => (digit === "0" ? "1" : "0")));
  await chain.getByRole("button", { name: "Verify the chain" }).click();
  await chain.getByText("Not valid", { exact: true }).waitFor();
  await page.keyboard.press("Escape");

  // Without a network what is shown stays.
  await page.context().setOffline(true);
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await page.getByText(/The server cannot be reached. The content is of/).waitFor();
  await page.context().setOffline(false);
  return {};
});
