/** The address that a sign-in comes back to. Any link can name one. Pure functions. */

/**
 * Return *next* if it is the address of a page right below *folder*, else null.
 * @param {string} next
 * @param {URL} folder
 * @param {(name: string) => boolean} isPage
 */
export function returnAddress(next, folder, isPage) {
  if (!URL.canParse(next, folder)) return null;
  const { origin, pathname, search } = new URL(next, folder);
  if (origin !== folder.origin || !pathname.startsWith(folder.pathname)) return null;
  const name = pathname.slice(folder.pathname.length).replace(/\/+$/, "");
  return isPage(name) ? new URL(name + search, folder) : null;
}
