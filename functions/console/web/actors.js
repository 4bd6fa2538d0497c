/** The names of actors: members and keys, as far as the reader may know them. */

import { requestAll } from "./api.js";
import { may } from "./session.js";

/** @typedef {import("./administration.d.ts").AuditEntry} AuditEntry */
/** @typedef {Map<string, string>} Names by the id */

const KINDS = /** @type {Record<string, string>} */ ({ operator: "Operator", person: "Member", key: "Key" });
const SHORT = 8;

/**
 * @param {AbortSignal} signal
 * @returns {Promise<Names>}
 */
export async function loadNames(signal) {
  /** @type {[{ id: string, name: string | null, email: string }[], import("./types.d.ts").Key[]]} */
  const [members, keys] = await Promise.all([
    may("users:read") ? requestAll("users", { signal }) : [],
    may("keys:read") ? requestAll("keys", { signal }) : [],
  ]);
  return new Map([
    ...members.map((member) => /** @type {[string, string]} */ ([member.id, member.name ?? member.email])),
    ...keys.map((key) => /** @type {[string, string]} */ ([key.id, `Key “${key.name}”`])),
  ]);
}

/**
 * Return the actor, in words.
 * @param {AuditEntry["actor"]} actor
 * @param {Names} names
 */
export function actorText({ kind, id }, names) {
  if (kind === "operator") return KINDS.operator;
  return names.get(id) ?? `${KINDS[kind] ?? kind} ${id.slice(0, SHORT)}…`;
}
