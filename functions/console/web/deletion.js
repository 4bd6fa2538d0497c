/** The time between the deletion of an organization and its erasure (docs/api.md, "Deletion"). */

export const DELETION_GRACE_DAYS = 30;
const DAY_MS = 86_400_000;

/**
 * Return the time at which the data is erased if the organization is deleted *now*.
 * @param {Date} now
 */
export function erasureDay(now) {
  return new Date(now.getTime() + DELETION_GRACE_DAYS * DAY_MS);
}
