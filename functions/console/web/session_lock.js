/** The turns of tabs, which share the cookie of the session. */

const REFRESH_LOCK = "console-refresh";
export const LONGEST_TURN_MS = 20_000; // the other tabs wait for it

/**
 * Do *work* that reads or changes the cookie of the session, while no other tab does. Its signal ends the request of a
 * turn that takes too long.
 * @template Result
 * @param {(signal: AbortSignal) => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function inTurn(work) {
  const run = () => work(AbortSignal.timeout(LONGEST_TURN_MS));
  return navigator.locks ? navigator.locks.request(REFRESH_LOCK, run) : run();
}
