/** The one-time token of a mail. It is after the `#` of its link, which no server gets. This tab keeps it until it is used. */

const PARAMETER = "token";

const kept = { page: "", token: /** @type {string | null} */ (null) };

/**
 * Take the token out of the URL and of the history.
 * @param {string} page the page that the URL names
 */
export function takeMailedToken(page) {
  const token = new URLSearchParams(location.hash.slice(1)).get(PARAMETER);
  if (!token) return;
  history.replaceState(null, "", location.pathname + location.search);
  Object.assign(kept, { page, token });
}

/**
 * Return the token of the mail that led to a page.
 * @param {string} page
 */
export function mailedToken(page) {
  return kept.page === page ? kept.token : null;
}

/** Forget the token when it has been used. */
export function forgetMailedToken() {
  Object.assign(kept, { page: "", token: null });
}
