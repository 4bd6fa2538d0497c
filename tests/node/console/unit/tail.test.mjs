import assert from "node:assert/strict";
import { test } from "node:test";
import { appendOlder, EMPTY_TAIL, hasRoom, mergePoll, MOST_SHOWN, MOST_WAITING, showWaiting, startTail, waitingText } from "../../../../functions/console/web/tail.js";

// An event of the second `at`. Its id is its second, unless it is given.
function event(at, id = String(at)) {
  return { event_id: id, device_id: "device-1", event_timestamp: new Date(Date.UTC(2026, 10, 29) + at * 1_000).toISOString() };
}

function page(events, cursor = null) {
  return { data: events, pagination: { next_cursor: cursor, has_more: cursor !== null } };
}

const idsOf = (events) => events.map((each) => each.event_id);

test("new events wait, and shown events stay", () => {
  const tail = startTail(page([event(2), event(1)]));

  const next = mergePoll(tail, page([event(4), event(3), event(2), event(1)]));

  assert.deepEqual(next.rows, tail.rows);
  assert.deepEqual(idsOf(next.waiting), ["4", "3"]);
  assert.equal(waitingText(next), "2 new");
});

test("a poll without news changes nothing", () => {
  const tail = mergePoll(startTail(page([event(1)])), page([event(2), event(1)]));

  assert.equal(mergePoll(tail, page([event(2), event(1)])), tail);
});

test("a late event goes to its place by time", () => {
  const tail = mergePoll(startTail(page([event(5), event(1)])), page([event(5), event(3), event(1)]));

  assert.deepEqual(idsOf(showWaiting(tail).rows), ["5", "3", "1"]);
  assert.deepEqual(showWaiting(tail).waiting, []);
});

test("one id with two times is two events", () => {
  const tail = mergePoll(startTail(page([event(1, "order")])), page([event(2, "order"), event(1, "order")]));

  assert.equal(tail.waiting.length, 1);
});

test("a page of new events alone leaves a gap", () => {
  const tail = mergePoll(startTail(page([event(1)])), page([event(9), event(8)], "older"));

  assert.equal(tail.hasGap, true);
  assert.equal(waitingText(tail), "2+ new");
});

test("all events of a short list are no gap", () => {
  assert.equal(mergePoll(startTail(page([event(1)])), page([event(3), event(2)])).hasGap, false);
});

test("the events that wait are bounded", () => {
  const many = Array.from({ length: MOST_WAITING + 1 }, (_, at) => event(at + 10));

  const tail = mergePoll(startTail(page([event(1)])), page([...many, event(1)]));

  assert.equal(tail.waiting.length, MOST_WAITING);
  assert.equal(tail.hasGap, true);
});

test("older events go to the end once", () => {
  const tail = appendOlder(startTail(page([event(3), event(2)], "first")), page([event(2), event(1)], "second"));

  assert.deepEqual(idsOf(tail.rows), ["3", "2", "1"]);
  assert.equal(tail.cursor, "second");
  assert.equal(appendOlder(tail, page([])).cursor, null);
  assert.equal(EMPTY_TAIL.cursor, null);
});

test("a list without a gap has room for waiting events, up to its bound", () => {
  const rows = Array.from({ length: MOST_SHOWN - 1 }, (_, at) => event(at));
  const tail = startTail(page(rows.toReversed()));

  assert.equal(hasRoom({ ...tail, waiting: [event(9_000)] }), true);
  assert.equal(hasRoom({ ...tail, waiting: [event(9_001), event(9_000)] }), false);
  assert.equal(hasRoom({ ...tail, hasGap: true }), false);
});
