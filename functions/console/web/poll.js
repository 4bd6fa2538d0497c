/** Repeats a question while the page is visible, at most once in five seconds. */

export const POLL_MS = 5_000;

/**
 * Run *ask* now and every five seconds, never twice at once. It stops with *signal*, and rests while the tab is hidden.
 * @param {() => Promise<void>} ask
 * @param {AbortSignal} signal
 */
export function poll(ask, signal) {
  let timer = 0;
  let isAsking = false;
  async function run() {
    clearTimeout(timer);
    if (signal.aborted || document.hidden || isAsking) return;
    isAsking = true;
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
