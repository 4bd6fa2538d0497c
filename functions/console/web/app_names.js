/** The names of apps, for lists that have only their ids. */

/** @typedef {import("./types.d.ts").App} App */

/**
 * Return the name of an app. Without any app, the reader may not know them, and sees the id.
 * @param {App[]} apps
 * @param {string | null} id
 */
export function appName(apps, id) {
  if (id === null) return "–";
  return apps.find((app) => app.id === id)?.name ?? (apps.length > 0 ? "A deleted app" : id);
}
