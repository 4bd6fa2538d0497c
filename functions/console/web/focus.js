/** Keeps the focus where it is while content is made anew. */

const FOCUSABLE = "a[href], button, input, select, textarea, [tabindex]";
const LANDINGS = "h2, h3, [role='region'], table";

/**
 * Run *change*. If that takes the focus away, it goes to the element with the same name: the attribute
 * `data-focus`, the label or the text. Without one it goes to the first heading or table of *place*, else to the title
 * of the page or dialog: a keyboard user goes on from there.
 * @param {HTMLElement} place
 * @param {() => void} change
 */
export function keepFocus(place, change) {
  const before = document.activeElement;
  const name = before instanceof HTMLElement && place.contains(before) ? nameOf(before) : null;
  change();
  if (name === null || document.activeElement === before) return;
  const again = [...place.querySelectorAll(FOCUSABLE)].find((each) => nameOf(each) === name && each.checkVisibility());
  if (again instanceof HTMLElement) again.focus();
  if (!again || document.activeElement !== again) land(place);
}

/** @param {HTMLElement} place */
function land(place) {
  const landing = [...place.querySelectorAll(LANDINGS)].find((each) => each.checkVisibility()) ?? titleAround(place);
  if (!(landing instanceof HTMLElement)) return;
  if (!landing.hasAttribute("tabindex")) landing.setAttribute("tabindex", "-1");
  landing.focus();
}

/** Return the title of the page, or of the dialog that hides it. @param {HTMLElement} place */
function titleAround(place) {
  return (place.closest("dialog") ?? document).querySelector("h1, .dialog-head h2");
}

/** @param {Element} element */
function nameOf(element) {
  const name = element.getAttribute("data-focus") ?? element.getAttribute("aria-label") ?? element.textContent;
  return `${element.tagName} ${name}`;
}
