/** Keys: `g` and a letter go to a page, `/` goes to the filter, `?` shows the keys. Pages without a session have none. */

import { openDialog, hasOpenDialog } from "./components/dialog.js";
import { h } from "./dom.js";
import { isPublicPage, listEntries } from "./pages.js";
import { currentPlace, goTo } from "./router.js";

const STORED = "console-shortcuts";
const OFF = "off";
const SECOND_KEY_MS = 1_500;
const TYPING = "input, select, textarea, [contenteditable]";

const typed = { isAfterG: false, timer: 0 };

/** Listen to the keys. */
export function startShortcuts() {
  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (!isOn() || isPublicPage(currentPlace().page)) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || hasOpenDialog()) return;
    if (target instanceof Element && target.matches(TYPING)) return;
    if (event.key === "?") {
      event.preventDefault();
      showShortcuts();
    } else if (run(event.key)) event.preventDefault();
  });
}

/** Show the keys in a dialog, with the switch that turns them off. */
export function showShortcuts() {
  const rows = [
    ...listEntries().map((entry) => [`g ${entry.letter}`, entry.title]),
    ["/", "Filter of the page"],
    ["↑ ↓", "From event to event"],
    ["?", "These keys"],
  ];
  const list = rows.map(([keys, text]) => [
    h("dt", {}, ...keys.split(" ").map((key) => h("kbd", {}, key))),
    h("dd", {}, text),
  ]);
  const toggle = h("input", { type: "checkbox", checked: isOn() });
  toggle.addEventListener("change", () => store(toggle.checked));
  const choice = h("label", { class: "choice" }, toggle, h("span", {}, "Use these keys"));
  openDialog({
    title: "Keyboard shortcuts",
    content: [h("div", { class: "dialog-body" }, h("dl", { class: "shortcuts" }, ...list.flat()), choice)],
  });
}

/**
 * @param {string} key
 * @returns {boolean} whether it was one of ours
 */
function run(key) {
  if (typed.isAfterG) {
    typed.isAfterG = false;
    const entry = listEntries().find((each) => each.letter === key);
    if (entry) goTo(entry.name);
    return Boolean(entry);
  }
  if (key === "g") {
    typed.isAfterG = true;
    clearTimeout(typed.timer);
    typed.timer = window.setTimeout(() => (typed.isAfterG = false), SECOND_KEY_MS);
    return true;
  }
  const filter = document.querySelector("[data-filter]");
  if (key !== "/" || !(filter instanceof HTMLElement)) return false;
  filter.focus();
  return true;
}

function isOn() {
  try {
    return localStorage.getItem(STORED) !== OFF;
  } catch {
    return true;
  }
}

/** @param {boolean} on */
function store(on) {
  try {
    if (on) localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, OFF);
  } catch {
    // Without storage the keys stay on.
  }
}
