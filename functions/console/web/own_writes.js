/** Keeps the tokens of the newest writes, which a read sends to show those writes (docs/api.md, "Own writes"). */

const HEADER = "X-Read-After";
const NEEDED_MS = 11_000;
const MAX_TOKENS = 20; // the API reads at most 20 of one request
const STORAGE_KEY = "own-writes"; // in sessionStorage, so a reloaded page still shows its writes

let newest = load();

/** @returns {{ token: string, endsAt: number }[]} */
function load() {
  try {
    const stored = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "[]");
    return Array.isArray(stored) ? stored : [];
  } catch {
    return []; // the browser keeps nothing
  }
}

function needed() {
  return newest.filter(({ endsAt }) => Date.now() < endsAt);
}

/**
 * Answers of concurrent writes may overtake each other, so each token is kept.
 * @param {Headers} headers of an answer
 */
export function keepOwnWrite(headers) {
  const token = headers.get(HEADER);
  if (!token) return;
  newest = [...needed(), { token, endsAt: Date.now() + NEEDED_MS }].slice(-MAX_TOKENS);
  try {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(newest));
  } catch {
    // the browser keeps nothing
  }
}

/** @returns {Record<string, string>} the header of a read */
export function afterOwnWrite() {
  const tokens = needed().map(({ token }) => token);
  return tokens.length > 0 ? { [HEADER]: tokens.join(", ") } : {};
}
