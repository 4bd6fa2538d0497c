/** The one-time token of a mail. It is after the `#` of its link, which no server gets. */

const PARAMETER = "token";

/** Return the token of the URL, and take it out of the URL and of the history. */
export function takeMailedToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get(PARAMETER);
  if (token) history.replaceState(null, "", location.pathname + location.search);
  return token;
}
