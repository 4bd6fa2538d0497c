// Announcements reach screen readers also in a dialog, and the focus stays where a keyboard user works.
import assert from "node:assert/strict";
import { call, run, sendEvents, signIn, until } from "./harness.mjs";

await run(async ({ given, open }) => {
  const { acme } = given;
  const page = await open(acme, "keys");
  await signIn(page, acme, "Keys");
  await page.getByRole("rowheader", { name: /First secret key/ }).waitFor();

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
