import assert from "node:assert/strict";
import { test } from "node:test";
import { initialsOf } from "../../../../functions/console/web/initials.js";
import { mayChange, rolesBelow } from "../../../../functions/console/web/roles.js";

test("a member gives its own role and those with less", () => {
  assert.deepEqual(rolesBelow("admin"), ["admin", "analyst", "viewer"]);
  assert.deepEqual(rolesBelow("unknown"), []);
});

test("a member cannot change a higher role", () => {
  assert.equal(mayChange("admin", "super_admin"), false);
  assert.equal(mayChange("super_admin", "super_admin"), true);
});

test("initials are of names and of addresses", () => {
  assert.equal(initialsOf("Ada  Lovelace Byron"), "AL");
  assert.equal(initialsOf("grace.hopper@acme.example"), "GH");
  assert.equal(initialsOf("😀 smile"), "😀S");
  assert.equal(initialsOf(""), "");
});
