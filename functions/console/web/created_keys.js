/** The write keys that this session has created. Their texts are in memory only, for its snippets. */

/** @typedef {import("./types.d.ts").NewKey} NewKey */

let created = /** @type {NewKey | null} */ (null);

/** @param {NewKey} key */
export function keepCreatedKey(key) {
  if (key.type === "write") created = key;
}

/** Return the text of the write key that this session created last. */
export function createdWriteKey() {
  return created?.key ?? null;
}

/**
 * Forget a key that was revoked.
 * @param {string} id
 */
export function forgetCreatedKey(id) {
  if (created?.id === id) created = null;
}

/** Forget the key when another session begins, or this one ends. */
export function forgetCreatedKeys() {
  created = null;
}
