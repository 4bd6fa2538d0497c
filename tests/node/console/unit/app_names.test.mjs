import assert from "node:assert/strict";
import { test } from "node:test";
import { appName } from "../../../../functions/console/web/app_names.js";

const SHOP = { id: "1", name: "Shop" };

test("an app has its name, and a deleted one is said to be deleted", () => {
  assert.equal(appName([SHOP], "1"), "Shop");
  assert.equal(appName([SHOP], "2"), "A deleted app");
  assert.equal(appName([SHOP], null), "–");
});

test("a reader that may not read apps sees the id", () => {
  assert.equal(appName([], "2"), "2");
});
