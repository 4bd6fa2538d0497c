// Keys: create by keyboard alone, use, rotate, revoke, and be refused.
import assert from "node:assert/strict";
import { call, inspect, run, sendEvents, signIn, tabTo } from "./harness.mjs";

const UNAUTHORIZED = 401;
const HOSTILE = `<img src=x onerror="alert(1)">'"&amp;{{7*7}}`;

await run(async ({ given, open }) => {
  const { acme } = given;
  const page = await open(acme, "keys?status=all");
  await signIn(page, acme, "Keys");
  assert.match(page.url(), /keys\?status=all$/);
  await page.getByRole("rowheader", { name: /First secret key/ }).waitFor();
  await inspect(page, "keys");

  // A list that cannot be loaded says why, and is loaded again.
  const problem = { status: 500, detail: "Internal Server Error", code: "internal", request_id: "r-42" };
  await page.route("**/v1/keys", (route) => route.fulfill({ status: 500, json: problem }));
  await page.reload();
  await page.getByRole("heading", { name: "Could not load the keys" }).waitFor();
  await page.getByText("r-42").waitFor();
  await inspect(page, "failed");
  await page.unroute("**/v1/keys");
  await page.getByRole("button", { name: "Retry" }).click();
  await page.getByRole("rowheader", { name: /First secret key/ }).waitFor();

  // Create, without a mouse.
  await page.getByRole("heading", { name: "Keys", level: 1 }).focus();
  await tabTo(page, "button", "Create key");
  await page.keyboard.press("Enter");
  const create = page.getByRole("dialog", { name: "Create key" });
  await tabTo(page, "textbox", "Name");
  await page.keyboard.press("Enter");
  await create.getByText("Expected 1 to 255 characters").waitFor();
  assert.equal(await create.getByLabel("Name").getAttribute("aria-invalid"), "true");
  await inspect(page, "create-key");
  await page.keyboard.type("Web shop");
  await page.keyboard.press("Enter");
  const once = page.getByRole("dialog", { name: "Your new key" });
  const key = await once.getByLabel("The key").textContent();
  assert.equal((await sendEvents(given, key, 1)).status, 200);
  await inspect(page, "new-key");
  await page.keyboard.press("Escape");
  await once.getByText("The key cannot be shown again.").waitFor();
  await tabTo(page, "checkbox", "I have stored it");
  await page.keyboard.press("Space");
  await page.keyboard.press("Escape");
  await once.waitFor({ state: "detached" });
  await page.getByRole("rowheader", { name: /Web shop/ }).waitFor();
  assert.equal(await page.getByText(key).count(), 0);

  // A secret key with chosen scopes, and a name that would be a script in HTML.
  await page.getByRole("button", { name: "Create key" }).click();
  await create.getByRole("radio", { name: /Secret key/ }).check();
  await create.getByLabel("Name").fill(HOSTILE);
  const scopes = () => create.getByRole("checkbox", { checked: true }).evaluateAll((boxes) => boxes.map((box) => box.value).toSorted());
  assert.deepEqual(await scopes(), ["stats:read", "usage:read"]);
  await create.getByRole("button", { name: "Select all but the strongest" }).press("Enter");
  assert.ok((await scopes()).includes("exports:write") && !(await scopes()).includes("keys:write"));
  await create.getByRole("button", { name: "Select none" }).press("Enter");
  await create.getByRole("button", { name: "Create key" }).click();
  await create.getByRole("group", { name: "Scopes" }).locator(".fault:visible").waitFor();
  await create.getByRole("checkbox", { name: "Read usage and quotas" }).check();
  await inspect(page, "create-secret-key");
  await create.getByRole("button", { name: "Create key" }).click();
  const secret = await once.getByLabel("The key").textContent();
  assert.equal((await call(given, "GET", "/usage", secret)).status, 200);
  assert.equal((await call(given, "GET", "/keys", secret)).status, 403);
  await once.getByLabel("I have stored it").check();
  await once.getByRole("button", { name: "Done" }).click();

  await page.getByRole("rowheader").filter({ hasText: HOSTILE }).waitFor();
  assert.equal(await page.locator("main img").count(), 0);

  // Filter by `/`, and rotate.
  await page.getByRole("heading", { name: "Keys", level: 1 }).focus();
  await page.keyboard.press("/");
  await page.keyboard.type("web sh");
  await page.getByText(HOSTILE).waitFor({ state: "detached" });
  assert.match(page.url(), /q=web\+sh/);
  await page.getByRole("button", { name: "Actions for Web shop" }).click();
  await inspect(page, "key-menu");
  await page.getByRole("button", { name: "Rotate key" }).click();
  const rotate = page.getByRole("dialog", { name: "Rotate key" });
  await rotate.getByText(/The old key works until/).waitFor();
  await rotate.getByLabel("Overlap").selectOption("1");
  await inspect(page, "rotate-key");
  await rotate.getByRole("button", { name: "Rotate key" }).click();
  const second = page.getByRole("dialog", { name: "The new key" });
  const rotated = await second.getByLabel("The key").textContent();
  for (const each of [key, rotated]) assert.equal((await sendEvents(given, each, 1)).status, 200);
  await second.getByLabel("I have stored it").check();
  await second.getByRole("button", { name: "Done" }).click();
  await page.getByText(/^Ends in/).waitFor();

  // Revoke: the name is asked for, and the key is refused at once.
  const row = page.getByRole("row").filter({ hasText: rotated.slice(0, 8) });
  await row.getByRole("button", { name: "Actions for Web shop" }).click();
  await page.getByRole("button", { name: "Revoke key" }).click();
  const revoke = page.getByRole("dialog", { name: "Revoke key" });
  await revoke.getByRole("button", { name: "Revoke key" }).click();
  await revoke.getByText("The name differs.").waitFor();
  await inspect(page, "revoke-key");
  await revoke.getByLabel("Type the name: Web shop").fill("Web shop");
  await revoke.getByRole("button", { name: "Revoke key" }).click();
  await page.getByText("“Web shop” is revoked.").waitFor();
  assert.equal((await sendEvents(given, rotated, 1)).status, UNAUTHORIZED);
  await row.getByText("Revoked").waitFor();
  return {};
});
