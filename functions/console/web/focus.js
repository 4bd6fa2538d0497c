/** Keeps the focus where it is while content is made anew. */

const FOCUSABLE = "a[href], button, input, select, textarea, [tabindex]";

/**
 * Run *change*. If that takes the focus away, it goes to the element with the same name: the attribute
 * `data-focus`, the label or the text.
 * @param {HTMLElement} place
 * @param {() => void} change
 */
export function keepFocus(place, change) {
  const before = document.activeElement;
  const name = before instanceof HTMLElement && place.contains(before) ? nameOf(before) : null;
  change();
  if (name === null || document.activeElement === before) return;
  const again = [...place.querySelectorAll(FOCUSABLE)].find((each) => nameOf(each) === name);
  if (again instanceof HTMLElement) again.focus();
}

/** @param {Element} element */
function nameOf(element) {
  const name = element.getAttribute("data-focus") ?? element.getAttribute("aria-label") ?? element.textContent;
  return `${element.tagName} ${name}`;
}
