/** Repeats a question while the page is visible, at most once in five seconds. */

export const POLL_MS = 5_000;

/**
 * Run *ask* now and every five seconds, never twice at once. It stops with *signal*, and rests while the tab is hidden.
 * A tab that is seen again asks at once, if the last question is old enough.
 * @param {() => Promise<void>} ask
 * @param {AbortSignal} signal
 * @param {number} [askedAt] the time of the last question, in milliseconds
 */
export function poll(ask, signal, askedAt = 0) {
  let timer = 0;
  let isAsking = false;
  async function run() {
    clearTimeout(timer);
    if (signal.aborted || document.hidden || isAsking) return;
    const wait = askedAt + POLL_MS - Date.now();
    if (wait > 0) {
      timer = window.setTimeout(() => void run(), wait);
      return;
    }
    isAsking = true;
    askedAt = Date.now();
    try {
      await ask();
    } finally {
      isAsking = false;
      if (!signal.aborted) timer = window.setTimeout(() => void run(), POLL_MS);
    }
  }
  document.addEventListener("visibilitychange", () => void run(), { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  void run();
}
