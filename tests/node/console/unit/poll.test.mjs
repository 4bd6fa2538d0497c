import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { poll, POLL_MS } from "../../../../functions/console/web/poll.js";

const STEP_MS = 100;
const settled = () => new Promise(setImmediate);
const START = Date.UTC(2026, 10, 29);

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: START });
  globalThis.window = globalThis;
  globalThis.document = Object.assign(new EventTarget(), { hidden: false });
});

// Lets the time pass, and what waits for it.
async function pass(milliseconds) {
  await settled();
  for (let left = milliseconds; left > 0; left -= STEP_MS) {
    mock.timers.tick(STEP_MS);
    await settled();
  }
}

function see(isHidden) {
  document.hidden = isHidden;
  document.dispatchEvent(new Event("visibilitychange"));
}

// Starts a poll, and returns the times of its questions.
function asked(signal, askedAt) {
  const times = [];
  poll(async () => void times.push(Date.now() - START), signal, askedAt);
  return times;
}

test("it asks at once, and then every five seconds", async () => {
  const times = asked(new AbortController().signal);

  await pass(2 * POLL_MS + 200);

  assert.deepEqual(times, [0, POLL_MS, 2 * POLL_MS]);
});

test("it waits for the last question of another", async () => {
  const times = asked(new AbortController().signal, START - 1_000);

  await pass(POLL_MS);

  assert.deepEqual(times, [POLL_MS - 1_000]);
});

test("a hidden tab asks nothing, and one that is seen again asks at once", async () => {
  const times = asked(new AbortController().signal);
  see(true);

  await pass(20_000);
  see(false);

  assert.deepEqual(times, [0, 20_000]);
});

test("a tab that is hidden and seen again asks no more often", async () => {
  const times = asked(new AbortController().signal);

  for (let turn = 0; turn < 10; turn += 1) {
    await pass(500);
    see(true);
    see(false);
  }
  await pass(200);

  assert.deepEqual(times, [0, POLL_MS]);
});

test("it ends with its signal", async () => {
  const end = new AbortController();
  const times = asked(end.signal);
  end.abort();

  await pass(2 * POLL_MS);
  see(false);

  assert.deepEqual(times, [0]);
});
