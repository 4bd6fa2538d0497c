/** Rows of which one can be open: their mark, and the keys that go from row to row. */

const OPENER = ".opener";

/**
 * Let the arrow keys go through the rows below *element*. Each has `data-id`, and a button of the class `opener`.
 * @param {HTMLElement} element
 */
export function openRows(element) {
  let openedId = /** @type {string | null} */ (null);
  const openers = () => /** @type {HTMLElement[]} */ ([...element.querySelectorAll(OPENER)]);
  element.addEventListener("keydown", (event) => {
    const all = openers();
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 }[event.key];
    if (at < 0 || to === undefined || !all[to]) return;
    event.preventDefault();
    all[to].focus();
  });

  /**
   * Mark the row that is open. With *isFocused* the row that was open gets the focus.
   * @param {string | null} id
   * @param {boolean} [isFocused]
   */
  function mark(id, isFocused = false) {
    const before = element.querySelector(`.opened ${OPENER}`);
    if (isFocused && before instanceof HTMLElement) before.focus();
    openedId = id;
    markAgain();
  }

  /** Mark the open row among rows that were made anew. */
  function markAgain() {
    for (const row of element.querySelectorAll("tr[data-id]")) {
      const isOpen = row.getAttribute("data-id") === openedId;
      row.classList.toggle("opened", isOpen);
      row.querySelector(OPENER)?.setAttribute("aria-expanded", String(isOpen));
    }
  }

  /**
   * Focus a row.
   * @param {number} index
   */
  function focusRow(index) {
    openers()[index]?.focus();
  }
  return { mark, markAgain, focusRow };
}

/**
 * Return the attributes of a row that a press opens.
 * @param {string} id
 * @param {() => void} onOpen
 */
export function rowAttributes(id, onOpen) {
  return { class: "pressable", "data-id": id, on: { click: (/** @type {Event} */ press) => isPress(press) && onOpen() } };
}

/**
 * Tell whether a click opens the row. It does not if it ends the selection of a text.
 * @param {Event} press
 */
function isPress({ target }) {
  return (target instanceof Element && target.closest(OPENER) !== null) || String(getSelection()) === "";
}
