import assert from "node:assert/strict";
import { test } from "node:test";
import { appendPage, renewFirst } from "../../../../functions/console/web/live_rows.js";

const NONE = { rows: [], cursor: null };

function page(ids, cursor = null, status = "done") {
  return { data: ids.map((id) => ({ id, status })), pagination: { next_cursor: cursor, has_more: cursor !== null } };
}

const idsOf = ({ rows }) => rows.map(({ id }) => id);

test("older rows stay when the first page is read again", () => {
  const opened = appendPage(renewFirst(NONE, page(["4", "3"], "behind-3", "pending")), page(["2", "1"], "behind-1"));

  const next = renewFirst(opened, page(["4", "3"], "behind-3"));

  assert.deepEqual(idsOf(next), ["4", "3", "2", "1"]);
  assert.equal(next.rows[0].status, "done");
  assert.equal(next.cursor, "behind-1");
});

test("a new row pushes none out of the list", () => {
  const next = renewFirst(renewFirst(NONE, page(["2", "1"], "behind-1")), page(["3", "2"], "behind-2"));

  assert.deepEqual(idsOf(next), ["3", "2", "1"]);
  assert.equal(next.cursor, "behind-1");
});

test("a row is in the list once", () => {
  const next = appendPage(renewFirst(NONE, page(["3", "2"], "behind-2")), page(["2", "1"]));

  assert.deepEqual(idsOf(next), ["3", "2", "1"]);
  assert.equal(next.cursor, null);
});
