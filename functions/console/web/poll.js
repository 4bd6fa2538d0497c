/** Repeats questions while the page is visible. All lists of a tab share one turn in five seconds. */

import { ApiError, OfflineError, SignedOutError } from "./api.js";

export const POLL_MS = 5_000;
const SECOND_MS = 1_000;

/** @typedef {{ ask: () => Promise<void>, signal: AbortSignal, askedAt: number }} Question */
const tab = { questions: /** @type {Question[]} */ ([]), nextAt: 0, timer: 0, isAsking: false };

/**
 * Run *ask* now, and again every five seconds, until *signal*. Several questions take turns. They pause while the tab
 * is hidden, and after a refusal for the time that the API gives. A question that fails is repeated.
 * @param {() => Promise<void>} ask
 * @param {AbortSignal} signal
 * @param {number} [askedAt] the time at which it was asked elsewhere, in milliseconds
 */
export function poll(ask, signal, askedAt = 0) {
  if (signal.aborted) return;
  const question = { ask, signal, askedAt };
  tab.questions.push(question);
  tab.nextAt = Math.max(tab.nextAt, askedAt + POLL_MS);
  document.addEventListener("visibilitychange", () => void turn(), { signal });
  signal.addEventListener("abort", () => {
    tab.questions = tab.questions.filter((each) => each !== question);
  });
  void turn();
}

/** Ask the question that has waited longest, if it is due. Else set the timer. */
async function turn() {
  clearTimeout(tab.timer);
  const [question] = tab.questions.toSorted((one, other) => one.askedAt - other.askedAt);
  if (!question || tab.isAsking || document.hidden) return;
  const wait = tab.nextAt - Date.now();
  if (wait > 0) {
    tab.timer = window.setTimeout(() => void turn(), wait);
    return;
  }
  tab.isAsking = true;
  question.askedAt = Date.now();
  tab.nextAt = question.askedAt + POLL_MS;
  try {
    await question.ask();
  } catch (error) {
    if (error instanceof ApiError) tab.nextAt = Math.max(tab.nextAt, Date.now() + restOf(error) * SECOND_MS);
    else if (!(question.signal.aborted || error instanceof OfflineError || error instanceof SignedOutError)) throw error;
  } finally {
    tab.isAsking = false;
    void turn();
  }
}

/**
 * Return the seconds that a refusal asks to wait.
 * @param {ApiError} error
 */
function restOf({ problem }) {
  return Number(problem.retry_after) || 0;
}
