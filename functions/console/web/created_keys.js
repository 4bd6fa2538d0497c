/** The write keys that this tab has created. Their texts are in memory only, for the snippets of this visit. */

/** @typedef {import("./types.d.ts").NewKey} NewKey */

const created = /** @type {NewKey[]} */ ([]);

/** @param {NewKey} key */
export function keepCreatedKey(key) {
  created.push(key);
}

/** Return the text of the write key that this tab created last. */
export function createdWriteKey() {
  return created.filter((key) => key.type === "write").at(-1)?.key ?? null;
}
