/** Starts the console, and shows the page that the URL names. */

import { ApiError, OfflineError, onExpiry, SignedOutError } from "./api.js";
import { currentBrand, readBrand, readOwnBrand } from "./brand.js";
import { liveRegions, toast } from "./components/toast.js";
import { failure, skeleton } from "./components/states.js";
import { askToSignIn, buildDoor } from "./doors.js";
import { fill, h } from "./dom.js";
import { keepFocus } from "./focus.js";
import { buildFrame, fullState, showHead } from "./frame.js";
import { takeMailedToken } from "./mailed_token.js";
import { isPublicPage, listEntries, loadPage, missingPermission } from "./pages.js";
import { currentPlace, goBackTo, goTo, keepAddress, watchPlaces } from "./router.js";
import { currentMember, findSession, forget, isNamed, namedOrganization, onSignOutElsewhere, signOut } from "./session.js";
import { startShortcuts } from "./shortcuts.js";
import { hasProviderAnswer, keepProviderAnswer } from "./single_sign_on.js";
import { startTheme } from "./theme.js";

/** @typedef {import("./router.js").Place} Place */

const app = /** @type {HTMLElement} */ (document.getElementById("app"));
const shown = {
  branding: Promise.resolve(),
  frame: /** @type {ReturnType<typeof buildFrame> | null} */ (null),
  page: new AbortController(),
  isFirst: true,
};

/** The file of a page is gone, and the page offers to load it again. */
class StaleFileError extends Error {}

/** @param {Place} place */
async function show(place) {
  takeOneTimeValues(place);
  shown.page.abort();
  shown.page = new AbortController();
  const { signal } = shown.page;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.dispatchEvent(new Event("leave"));
  loadPage(place.page).catch(() => null); // it loads beside the session, and is awaited below
  try {
    if (await isSignedInAt(place)) goBackTo(place.query.get("next"));
    else if (isPublicPage(place.page)) await showDoor(place, signal);
    else if (await hasSession(place)) await showPage(place, signal);
  } catch (error) {
    if (signal.aborted || error instanceof StaleFileError) return;
    if (error instanceof SignedOutError) return askAtTheDoor();
    showTrouble(failure(error, "the page", async () => show(place)));
    if (!(error instanceof ApiError || error instanceof OfflineError)) console.error(error);
  }
}

/**
 * Find the session, or go to the page that begins one.
 * @param {Place} place
 */
async function hasSession(place) {
  const me = currentMember();
  if (me && !isNamed(me)) {
    forget(); // the URL is of a session before
    shown.frame = null;
  }
  if (currentMember() ?? (await findSession())) return currentPlace().page === place.page;
  askAtTheDoor();
  return false;
}

/**
 * Tell whether the console was opened at `sign-in` by a browser that has a session already.
 * @param {Place} place
 */
async function isSignedInAt({ page }) {
  if (!shown.isFirst || page !== "sign-in" || hasProviderAnswer()) return false;
  return (await findSession().catch(() => null)) !== null;
}

/**
 * Remove tokens and codes from the URL first, so that the history has none while files are loaded.
 * @param {Place} place
 */
function takeOneTimeValues({ page }) {
  takeMailedToken(page);
  if (page === "sign-in") keepProviderAnswer();
}

/**
 * @param {Place} place
 * @param {AbortSignal} signal
 */
async function showDoor(place, signal) {
  shown.frame = null;
  const page = await importPage(place.page);
  await shown.branding;
  if (!page || signal.aborted) return;
  const { element, root, heading } = buildDoor(page.title, page.purpose, currentBrand());
  fill(app, element);
  entitle(page.title, heading);
  await page.show({ root, query: place.query, signal, brand: currentBrand() });
}

/**
 * @param {Place} place
 * @param {AbortSignal} signal
 */
async function showPage(place, signal) {
  const me = currentMember();
  if (!me) throw new SignedOutError();
  await shown.branding;
  if (!shown.frame) await readOwnBrand(me.organization);
  shown.frame ??= buildFrame(me, currentBrand(), () => void leave());
  if (!shown.frame.element.isConnected) fill(app, shown.frame.element);
  const { main, mark } = shown.frame;
  mark(place.page);
  fill(main, skeleton("rows", 3));
  const page = await importPage(place.page);
  if (signal.aborted) return;
  if (!page) {
    const { root, heading } = showHead(main, "No such page", "The address names no page of the console.");
    fill(root, fullState("There is no page here", "The address may be of an earlier release.", "Go to usage", () => goTo("usage")));
    return entitle("No such page", heading);
  }
  const { root, actions, heading } = showHead(main, page.title, page.purpose);
  entitle(page.title, heading);
  const missing = missingPermission(place.page);
  if (missing) {
    const text = `Your role lacks the permission ${missing}. An admin of your organization can change your role.`;
    return fill(root, fullState("You may not see this page", text, "Go to usage", () => goTo("usage")));
  }
  await page.show({ root, actions, query: place.query, signal, me });
}

/**
 * Load the file of a page. After a release the files have other names, and the page is loaded again.
 * @param {string} name
 */
async function importPage(name) {
  try {
    return await loadPage(name);
  } catch (error) {
    const text = "The console may have a new version, or the network may be down. Saved changes are kept.";
    const state = fullState("The page could not be loaded", text, "Load it again", () => location.reload());
    showTrouble(state);
    throw new StaleFileError(String(error));
  }
}

/**
 * Show a failure in place of a page, with the title that each page has. Without a session it is the whole document.
 * @param {HTMLElement} state
 */
function showTrouble(state) {
  if (shown.frame?.element.isConnected) {
    const title = listEntries().find(({ name }) => name === currentPlace().page)?.title ?? "Console";
    const heading = h("h1", { tabindex: "-1" }, title);
    fill(shown.frame.main, h("div", { class: "page-head" }, heading), state);
    return entitle(title, heading);
  }
  keepFocus(app, () => fill(app, h("main", { id: "main", class: "alone" }, h("h1", {}, "Console"), state), ...liveRegions()));
}

/**
 * @param {string} title
 * @param {HTMLElement} heading
 */
function entitle(title, heading) {
  const owner = currentMember()?.organization.name ?? "Console";
  document.title = `${title} · ${owner}`;
  if (!shown.isFirst) heading.focus();
  shown.isFirst = false;
}

/** Go to the page that begins a session, and come back to this one. A page without a session stays. */
function askAtTheDoor() {
  if (isPublicPage(currentPlace().page)) return;
  const next = keepAddress();
  goTo("sign-in", next ? { next } : {}, true);
}

async function leave() {
  try {
    await signOut();
    goTo("sign-in");
  } catch (error) {
    toast(`Not signed out: ${error instanceof Error ? error.message : ""}`, "bad");
  }
}

async function start() {
  startTheme();
  startShortcuts();
  onExpiry(askToSignIn);
  onSignOutElsewhere(() => {
    forget();
    askAtTheDoor();
  });
  takeOneTimeValues(currentPlace());
  shown.branding = readBrand(namedOrganization());
  watchPlaces((place) => void show(place));
}

void start();
