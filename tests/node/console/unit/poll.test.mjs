import assert from "node:assert/strict";
import { afterEach, before, beforeEach, mock, test } from "node:test";
import { ApiError, OfflineError } from "../../../../functions/console/web/api.js";
import { poll, POLL_MS } from "../../../../functions/console/web/poll.js";

const STEP_MS = 100;
const HOUR_MS = 3_600_000;
const settled = () => new Promise(setImmediate);
// The clock of a tab goes on from test to test, as the module keeps the time of its last question.
let start = 0;
let tab = new AbortController();

before(() => mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.UTC(2026, 10, 29) }));

beforeEach(() => {
  mock.timers.tick(HOUR_MS);
  start = Date.now();
  tab = new AbortController();
  globalThis.window = globalThis;
  globalThis.document = Object.assign(new EventTarget(), { hidden: false });
});

afterEach(() => tab.abort());

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

// Starts a poll, and returns the times of its questions. Each is answered by `answer`.
function asked({ signal = tab.signal, askedAt, answer = async () => {} } = {}) {
  const times = [];
  const ask = async () => {
    times.push(Date.now() - start);
    await answer(times.length);
  };
  poll(ask, signal, askedAt);
  return times;
}

test("it asks at once, and then every five seconds", async () => {
  const times = asked();

  await pass(2 * POLL_MS + 200);

  assert.deepEqual(times, [0, POLL_MS, 2 * POLL_MS]);
});

test("it waits for the last question of another", async () => {
  const times = asked({ askedAt: start - 1_000 });

  await pass(POLL_MS);

  assert.deepEqual(times, [POLL_MS - 1_000]);
});

test("two lists share one question in five seconds", async () => {
  const exports = asked();
  const erasures = asked();

  await pass(4 * POLL_MS);

  assert.deepEqual(exports, [0, 2 * POLL_MS, 4 * POLL_MS]);
  assert.deepEqual(erasures, [POLL_MS, 3 * POLL_MS]);
});

test("a list that ends leaves its turns to the others", async () => {
  const first = new AbortController();
  const times = asked({ signal: first.signal });
  const others = asked();
  first.abort();

  await pass(2 * POLL_MS);

  assert.deepEqual(times, [0]);
  assert.deepEqual(others, [POLL_MS, 2 * POLL_MS]);
});

test("a refusal rests the tab as long as it says", async () => {
  const refuse = async () => {
    throw new ApiError(429, { retry_after: 12 }, null);
  };
  const refused = asked({ answer: refuse });
  const others = asked();

  await pass(15_000);

  assert.deepEqual(refused, [0]);
  assert.deepEqual(others, [12_000]);
});

test("a question without an answer is asked again", async () => {
  const times = asked({
    answer: async () => {
      throw new OfflineError();
    },
  });

  await pass(POLL_MS);

  assert.deepEqual(times, [0, POLL_MS]);
});

test("a slow answer is waited for", async () => {
  const times = asked({ answer: () => new Promise((resolve) => setTimeout(resolve, 7_000)) });

  await pass(8_000);

  assert.deepEqual(times, [0, 7_000]);
});

test("a hidden tab asks nothing, and one that is seen again asks at once", async () => {
  const times = asked();
  see(true);

  await pass(20_000);
  see(false);

  assert.deepEqual(times, [0, 20_000]);
});

test("a tab that is hidden and seen again asks no more often", async () => {
  const times = asked();

  for (let turn = 0; turn < 10; turn += 1) {
    await pass(500);
    see(true);
    see(false);
  }
  await pass(200);

  assert.deepEqual(times, [0, POLL_MS]);
});

test("it ends with its signal", async () => {
  const times = asked();
  tab.abort();

  await pass(2 * POLL_MS);
  see(false);

  assert.deepEqual(times, [0]);
});
