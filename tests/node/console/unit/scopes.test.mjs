import assert from "node:assert/strict";
import { test } from "node:test";
import { scopeChoices } from "../../../../functions/console/web/scopes.js";

const PERMISSIONS = ["exports:write", "keys:write", "organization:delete", "sso:write", "stats:read", "usage:read", "users:write"];

test("a new key reads figures, and no more, unless its creator chooses", () => {
  assert.deepEqual(scopeChoices(PERMISSIONS).chosen, ["stats:read", "usage:read"]);
  assert.deepEqual(scopeChoices(["audit:read"]).chosen, []);
});

test("select all leaves out scopes that give or take rights", () => {
  assert.deepEqual(scopeChoices(PERMISSIONS).usual, ["exports:write", "stats:read", "usage:read"]);
  assert.equal(scopeChoices(PERMISSIONS).choices.length, PERMISSIONS.length);
});
