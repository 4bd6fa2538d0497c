/** Keeps the token of the newest write, which a read sends to show that write (docs/api.md, "Own writes"). */

const HEADER = "X-Read-After";
const NEEDED_MS = 11_000;

const newest = { token: /** @type {string | null} */ (null), endsAt: 0 };

/** @param {Headers} headers of an answer */
export function keepOwnWrite(headers) {
  const token = headers.get(HEADER);
  if (token) Object.assign(newest, { token, endsAt: Date.now() + NEEDED_MS });
}

/** @returns {Record<string, string>} the header of a read */
export function afterOwnWrite() {
  return newest.token && Date.now() < newest.endsAt ? { [HEADER]: newest.token } : {};
}
