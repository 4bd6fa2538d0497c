/** States of keys. */

/** @typedef {import("./types.d.ts").Key} Key */

/**
 * Tell whether the API takes a key.
 * @param {Key} key
 */
export function isLiveKey(key) {
  return key.status === "active" || key.status === "expiring";
}
