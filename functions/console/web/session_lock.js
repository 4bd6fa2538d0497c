/** The turns of tabs, which share the cookie of the session. */

const REFRESH_LOCK = "console-refresh";

/**
 * Do *work* that reads or changes the cookie of the session, while no other tab does.
 * @template Result
 * @param {() => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function inTurn(work) {
  return navigator.locks ? navigator.locks.request(REFRESH_LOCK, work) : work();
}
