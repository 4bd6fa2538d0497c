/** The verification of the audit log, call by call, and the seal to keep. Pure functions. */

/** @typedef {import("./administration.d.ts").Verification} Verification */
/** @typedef {{ sequence: number, seal: string }} Link */
/**
 * @typedef {object} Result
 * @property {{ sequence: number, reason: string } | null} broken
 * @property {number | null} first the sequence of the first entry that was verified, null without entries
 * @property {number} count of entries
 * @property {number} unsealed entries that have no seal yet
 * @property {boolean} isCut retention has cut the beginning, and a signed checkpoint stands for it
 * @property {Link | null} link the seal to keep
 */

const MOST_PAGES = 20;
const KEPT = /^\s*(\d{1,19})\s*[:,;\s]\s*([0-9a-f]{64})\s*$/i;

/**
 * Verify the log after *after*, until its end or the first break.
 * @param {(after: Link | null) => Promise<Verification>} ask one call of the API
 * @param {Link | null} after
 * @param {(sequence: number) => unknown} onProgress called with the last sequence that was verified
 * @returns {Promise<Result>}
 */
export async function verifyChain(ask, after, onProgress) {
  const result = { first: /** @type {number | null} */ (null), count: 0, isCut: false };
  for (let link = after; ; ) {
    const part = await ask(link);
    result.isCut ||= part.checkpoint !== null;
    const hasEntries = part.last_sequence >= part.first_sequence;
    if (hasEntries) {
      result.first ??= part.first_sequence;
      result.count += part.last_sequence - part.first_sequence + 1;
      onProgress(part.last_sequence);
    }
    const last = hasEntries ? { sequence: part.last_sequence, seal: part.last_seal } : link;
    const isStuck = last?.sequence === link?.sequence;
    if (part.broken || part.is_complete || isStuck) {
      return { ...result, broken: part.broken, unsealed: part.unsealed, link: part.broken ? null : last };
    }
    link = last;
  }
}

/**
 * Return the sequence of the newest sealed entry, or null if the newest pages have none.
 * @param {(cursor: string | null) => Promise<import("./types.d.ts").Listed<{ sequence: number | null }>>} read a page, newest first
 */
export async function findLastSealed(read) {
  let cursor = /** @type {string | null} */ (null);
  for (let turn = 0; turn < MOST_PAGES; turn += 1) {
    const { data, pagination } = await read(cursor);
    const sealed = data.find(({ sequence }) => sequence !== null);
    if (sealed || !pagination.has_more) return sealed?.sequence ?? null;
    cursor = pagination.next_cursor;
  }
  return null;
}

/**
 * Return a seal with its place as a text to keep.
 * @param {Link} link
 */
export function linkText({ sequence, seal }) {
  return `${sequence}:${seal}`;
}

/**
 * Return the seal in a kept text. Null is none.
 * @param {string} text
 * @returns {Link | null}
 */
export function parseLink(text) {
  const found = KEPT.exec(text);
  return found && { sequence: Number(found[1]), seal: found[2].toLowerCase() };
}
