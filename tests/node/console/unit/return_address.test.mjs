import assert from "node:assert/strict";
import { test } from "node:test";
import { returnAddress } from "../../../../functions/console/web/return_address.js";

const FOLDER = new URL("https://acme.example/v1/console/");
const isPage = (name) => ["", "usage", "keys"].includes(name);
const back = (next) => returnAddress(next, FOLDER, isPage)?.href ?? null;

test("the address of a page keeps its state", () => {
  for (const [next, address] of [
    ["keys?status=all", "https://acme.example/v1/console/keys?status=all"],
    ["/v1/console/usage", "https://acme.example/v1/console/usage"],
    ["https://acme.example/v1/console/keys/", "https://acme.example/v1/console/keys"],
    ["https://user:word@acme.example/v1/console/keys#a", "https://acme.example/v1/console/keys"],
    ["?app=a", "https://acme.example/v1/console/?app=a"],
  ]) {
    assert.equal(back(next), address, next);
  }
});

test("a sign-in does not return to an address that is not of a page", () => {
  for (const next of [
    "http://[",
    "//evil.example/v1/console/usage",
    "https://evil.example/v1/console/usage",
    "http://acme.example/v1/console/usage",
    "\\\\evil.example",
    "javascript:alert(1)",
    "../usage",
    "/v1/usage",
    "a/b/usage",
    "usage/keys",
    "nothing",
    "usage.js",
  ]) {
    assert.equal(back(next), null, next);
  }
});
