/** The parts that all pages share: header, navigation, and the place of the page. */

import { button, iconButton } from "./components/buttons.js";
import { menu } from "./components/menu.js";
import { segments } from "./components/table.js";
import { liveRegions } from "./components/toast.js";
import { fill, h } from "./dom.js";
import { emblem } from "./emblem.js";
import { icon } from "./icons.js";
import { listEntries } from "./pages.js";
import { roleName } from "./roles.js";
import { addressOf } from "./router.js";
import { showShortcuts } from "./shortcuts.js";
import { readTheme, setTheme } from "./theme.js";

/** @typedef {import("./types.d.ts").Me} Me */
/** @typedef {import("./administration.d.ts").Brand} Brand */


/**
 * Return the frame, and the parts of it that a page fills.
 * @param {Me} me
 * @param {Brand} brand
 * @param {() => void} onSignOut
 */
export function buildFrame(me, brand, onSignOut) {
  const links = h("ul", {});
  const nav = h("nav", { id: "navigation", class: "nav", "aria-label": "Pages" }, links, h("div", { class: "nav-look" }, themeSwitch()));
  const main = h("main", { id: "main", class: "main" });
  const opener = iconButton("menu", "Pages", () => toggle(!nav.classList.contains("open")));
  opener.classList.add("nav-opener");
  opener.setAttribute("aria-controls", nav.id);
  opener.setAttribute("aria-expanded", "false");

  /** @param {boolean} isOpen */
  function toggle(isOpen) {
    nav.classList.toggle("open", isOpen);
    opener.setAttribute("aria-expanded", String(isOpen));
  }
  nav.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !nav.classList.contains("open")) return;
    toggle(false);
    opener.focus();
  });

  const element = h(
    "div",
    { class: "frame" },
    h("a", { class: "skip", href: "#main", on: { click: (/** @type {Event} */ event) => skip(event, main) } }, "Skip to the content"),
    header(me, brand, opener, onSignOut),
    nav,
    main,
    ...liveRegions(),
  );

  /** @param {string} page the page that is shown */
  function mark(page) {
    toggle(false);
    fill(links, listEntries().map((entry) => h("li", {}, link(entry, page))));
  }
  return { element, main, mark };
}

/**
 * Put the head of a page into *main*, and return the places for its content and its actions.
 * @param {HTMLElement} main
 * @param {string} title
 * @param {string} purpose
 */
export function showHead(main, title, purpose) {
  const actions = h("div", { class: "page-actions" });
  const root = h("div", { class: "page-body" });
  const heading = h("h1", { tabindex: "-1" }, title);
  const head = h("div", { class: "page-head" }, h("div", {}, heading, h("p", { class: "purpose" }, purpose)), actions);
  fill(main, head, root);
  return { root, actions, heading };
}

/** Return a switch of the look. All switches of the page show the same. */
export function themeSwitch() {
  const choices = /** @type {[string, string][]} */ ([
    ["auto", "Auto"],
    ["light", "Light"],
    ["dark", "Dark"],
  ]);
  const element = segments("Look", choices, readTheme(), (theme) => {
    setTheme(/** @type {any} */ (theme));
    for (const each of document.querySelectorAll(".look-switch button")) each.setAttribute("aria-pressed", String(each.getAttribute("value") === theme));
  });
  element.classList.add("look-switch");
  return element;
}

/**
 * @param {Me} me
 * @param {Brand} brand
 * @param {HTMLElement} opener
 * @param {() => void} onSignOut
 */
function header(me, brand, opener, onSignOut) {
  const { organization } = me;
  const name = me.name ?? me.email;
  const account = menu({
    className: "button button-quiet account",
    content: [
      icon("person"),
      h("span", { class: "account-name" }, name),
      " ",
      h("span", { class: "role" }, roleName(me.role)),
      " ",
      h("span", { class: "visually-hidden" }, "(account)"),
    ],
    actions: [
      { text: "Keyboard shortcuts", iconName: "info", onClick: showShortcuts },
      { text: "Sign out", iconName: "signon", onClick: onSignOut },
    ],
  });
  return h(
    "header",
    { class: "top" },
    opener,
    h(
      "a",
      { class: "home", href: addressOf("usage") },
      emblem(brand, organization.name),
      h("span", { class: "organization" }, organization.name),
    ),
    h("span", { class: "tier" }, organization.tier),
    h("span", { class: "space" }),
    themeSwitch(),
    account,
  );
}

/**
 * @param {import("./types.d.ts").Entry} entry
 * @param {string} page
 */
function link(entry, page) {
  const attributes = { href: addressOf(entry.name), "aria-current": entry.name === page && "page" };
  return h("a", attributes, icon(entry.icon), entry.title);
}

/**
 * Move the focus to the content without a change of the URL.
 * @param {Event} event
 * @param {HTMLElement} main
 */
function skip(event, main) {
  event.preventDefault();
  const heading = main.querySelector("h1");
  if (heading instanceof HTMLElement) heading.focus();
}

/**
 * Return the whole page in place of a page that could not be shown.
 * @param {string} title
 * @param {string} text
 * @param {string} action
 * @param {() => void} onAction
 */
export function fullState(title, text, action, onAction) {
  const act = button(action, { look: "primary", onClick: onAction });
  return h("div", { class: "state", role: "alert" }, icon("info"), h("h2", {}, title), h("p", {}, text), act);
}
