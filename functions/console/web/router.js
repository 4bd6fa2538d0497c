/** The URL of the console: its last part names the page, its query has the page's state. */

import { isMemberPage } from "./pages.js";
import { returnAddress } from "./return_address.js";

/** @typedef {{ page: string, query: URLSearchParams }} Place */

const FOLDER = new URL("./", import.meta.url);
const KEPT = ["organization"];
const FIRST_PAGE = "usage";

const listeners = /** @type {Set<(place: Place) => void>} */ (new Set());

/** Return the page and the state in the URL. A path of several parts names no page. */
export function currentPlace() {
  const path = `${location.pathname.replace(/\/+$/, "")}/`;
  const name = path.startsWith(FOLDER.pathname) ? path.slice(FOLDER.pathname.length, -1) : "";
  return { page: name || FIRST_PAGE, query: new URLSearchParams(location.search) };
}

/**
 * Return the address of a page. The organization of a shared host stays in it.
 * @param {string} page
 * @param {Record<string, string>} [query]
 */
export function addressOf(page, query = {}) {
  const url = keepNames(new URL(page, FOLDER));
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url.href;
}

/**
 * Go to a page.
 * @param {string} page
 * @param {Record<string, string>} [query]
 * @param {boolean} [isReplaced] the present entry of the history is replaced
 */
export function goTo(page, query = {}, isReplaced = false) {
  goToAddress(addressOf(page, query), isReplaced);
}

/**
 * Change the state of the page that is shown. An empty or null value leaves the URL.
 * @param {Record<string, string | null>} changes
 */
export function setQuery(changes) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  }
  history.replaceState(null, "", url);
}

/**
 * Call *listener* for each new place, and now.
 * @param {(place: Place) => void} listener
 */
export function watchPlaces(listener) {
  listeners.add(listener);
  addEventListener("popstate", announcePlace);
  document.addEventListener("click", follow);
  announcePlace();
}

/**
 * Go to the address of a page that was kept, or to the first page. The organization is that of the present URL.
 * @param {string | null} next
 */
export function goBackTo(next) {
  const kept = next === null ? null : returnAddress(next, FOLDER, (name) => !name || isMemberPage(name));
  goToAddress(keepNames(kept ?? new URL(FIRST_PAGE, FOLDER)).href, true);
}

/** Return the address of the page that is shown, to come back to it. */
export function keepAddress() {
  return location.pathname.slice(FOLDER.pathname.length) + location.search;
}

/**
 * @param {string} address
 * @param {boolean} isReplaced
 */
function goToAddress(address, isReplaced) {
  if (isReplaced) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  announcePlace();
}

function announcePlace() {
  const place = currentPlace();
  for (const listener of listeners) listener(place);
}

/**
 * Let *url* have the values that stay from page to page.
 * @param {URL} url
 */
function keepNames(url) {
  const present = new URLSearchParams(location.search);
  for (const name of KEPT) {
    const value = present.get(name);
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  return url;
}

/** @param {URL} url */
function isBelowConsole(url) {
  return url.origin === FOLDER.origin && url.pathname.startsWith(FOLDER.pathname);
}

/**
 * Follow a link within the console without loading the page again.
 * @param {MouseEvent} event
 */
function follow(event) {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!(link instanceof HTMLAnchorElement) || link.target || link.download || event.defaultPrevented) return;
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const url = new URL(link.href);
  if (!isBelowConsole(url) || (url.hash && url.pathname === location.pathname)) return;
  event.preventDefault();
  goToAddress(url.href, false);
}
