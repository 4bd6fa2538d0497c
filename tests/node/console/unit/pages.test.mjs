import assert from "node:assert/strict";
import { test } from "node:test";

const listed = JSON.stringify({ usage: "usage-1.js", "sign-in": "sign-in-1.js", accept: "accept-1.js" });
globalThis.document = { querySelector: (selector) => (selector.includes("pages") ? { getAttribute: () => listed } : null) };
globalThis.location = new URL("https://acme.example/v1/console/sign-in");
delete globalThis.BroadcastChannel; // an open one keeps the process alive
const { isMemberPage, loadPage } = await import("../../../../functions/console/web/pages.js");

test("a sign-in comes back to a page of members alone", () => {
  const names = ["usage", "keys", "sign-in", "accept", "constructor", "toString", "__proto__", ""];

  assert.deepEqual(names.filter(isMemberPage), ["usage"]);
});

test("a name that each object has is no page", async () => {
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) assert.equal(await loadPage(name), null);
});
