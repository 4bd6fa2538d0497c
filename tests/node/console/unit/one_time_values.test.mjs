import assert from "node:assert/strict";
import { test } from "node:test";

delete globalThis.BroadcastChannel; // an open one keeps the process alive
globalThis.document = { querySelector: () => null };
globalThis.history = { replaceState: (_state, _title, url) => open(new URL(url, globalThis.location).href) };
const open = (address) => (globalThis.location = new URL(address));
open("https://acme.example/v1/console/");
const { forgetMailedToken, mailedToken, takeMailedToken } = await import("../../../../functions/console/web/mailed_token.js");
const { hasProviderAnswer, keepProviderAnswer, takeProviderAnswer } = await import(
  "../../../../functions/console/web/single_sign_on.js"
);

test("a mailed token leaves the URL, and stays until it is used", () => {
  open("https://acme.example/v1/console/accept?organization=acme#token=ot_1");
  takeMailedToken("accept");
  const address = location.href;

  takeMailedToken("accept"); // the page is shown again

  assert.equal(address, "https://acme.example/v1/console/accept?organization=acme");
  assert.equal(mailedToken("accept"), "ot_1");
  assert.equal(mailedToken("reset"), null);
  forgetMailedToken();
  assert.equal(mailedToken("accept"), null);
});

test("a code leaves the URL, and is handed out once", () => {
  open("https://acme.example/v1/console/sign-in?code=c1&organization=acme");

  keepProviderAnswer();

  assert.equal(location.href, "https://acme.example/v1/console/sign-in?organization=acme");
  assert.equal(hasProviderAnswer(), true);
  assert.deepEqual([takeProviderAnswer(), takeProviderAnswer()], [{ code: "c1" }, null]);
});

test("a refusal of the provider has no code", () => {
  open("https://acme.example/v1/console/sign-in?error=access_denied");

  keepProviderAnswer();

  assert.deepEqual([takeProviderAnswer(), location.search], [{ code: null }, ""]);
});
