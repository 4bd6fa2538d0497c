import assert from "node:assert/strict";
import { test } from "node:test";
import { filterText, readFilters, writeFilters } from "../../../../functions/console/web/event_filters.js";

test("filters come back from the URL", () => {
  const chosen = { event_name: "Order Completed", app_id: "none", from: "2026-11-01" };
  const url = new URLSearchParams(Object.entries(writeFilters(chosen)).filter(([, value]) => value !== null));

  assert.equal(url.get("app"), "none");
  assert.deepEqual(readFilters(url), chosen);
});

test("other parameters and empty ones are no filters", () => {
  assert.deepEqual(readFilters(new URLSearchParams("live=off&event_type=&device_id=%20&app_id=1")), {});
});

test("removed filters leave the URL", () => {
  assert.deepEqual(new Set(Object.values(writeFilters({}))), new Set([null]));
});

test("an app is shown by its name", () => {
  assert.equal(filterText("app_id", "1", (id) => `Shop ${id}`), "App: Shop 1");
  assert.equal(filterText("event_type", "track", () => ""), "Type: track");
});
