import assert from "node:assert/strict";
import { test } from "node:test";
import { describeQueue, describeState, parseIds } from "../../../../functions/console/web/trace.js";

test("ids are lines, with device and time behind tabs", () => {
  assert.deepEqual(parseIds(" order-1 \r\n\norder 2, or 3\torder\torder\n"), [
    { event_id: "order-1" },
    { event_id: "order 2, or 3", device_id: "order", event_timestamp: "order" },
  ]);
});

test("the same line counts once", () => {
  assert.deepEqual(parseIds("order-1\norder-1\norder-1\tdevice-1"), [
    { event_id: "order-1" },
    { event_id: "order-1", device_id: "device-1" },
  ]);
});

test("JSON of events, of ids and of Segment calls is read", () => {
  assert.deepEqual(parseIds('["a", "b"]'), [{ event_id: "a" }, { event_id: "b" }]);
  assert.deepEqual(parseIds('{"event_id": "a", "device_id": "d", "revenue": 1}'), [{ event_id: "a", device_id: "d" }]);
  assert.deepEqual(parseIds('{"events": [{"event_id": "a", "event_timestamp": "2026-11-29T00:00:00Z"}]}'), [
    { event_id: "a", event_timestamp: "2026-11-29T00:00:00Z" },
  ]);
  assert.deepEqual(parseIds('{"batch": [{"messageId": "m"}]}'), [{ event_id: "m" }]);
});

test("text that is no JSON is lines, and other members are no ids", () => {
  assert.deepEqual(parseIds("{order}"), [{ event_id: "{order}" }]);
  assert.deepEqual(parseIds('[1, null, {"event_id": 2}, {}]'), []);
  assert.deepEqual(parseIds('{"events": 1}'), [{ event_id: '{"events": 1}' }]);
  assert.deepEqual(parseIds(""), []);
});

test("each state has words of its own", () => {
  const states = [
    { state: "stored", reason: null },
    { state: "held", reason: "quota" },
    { state: "held", reason: "clock" },
    { state: "unknown", reason: null },
  ].map((each) => describeState({ event_id: "a", received_at: null, device_id: null, event_timestamp: null, ...each }));

  assert.deepEqual(states.map(({ kind }) => kind), ["ok", "warn", "warn", "off"]);
  assert.equal(new Set(states.map(({ text }) => text)).size, states.length);
});

test("the queue is described with and without an age", () => {
  const at = (time) => `at ${time}`;

  assert.match(describeQueue({ age_seconds: 0.2, last_stored_at: "noon" }, at), /stored at noon.*within 1 s/);
  assert.match(describeQueue({ age_seconds: 61, last_stored_at: "noon" }, at), /within 2 min/);
  assert.match(describeQueue({ age_seconds: null, last_stored_at: null }, at), /No event was stored in the last 7 days/);
});
