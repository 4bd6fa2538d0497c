/** The states of a list or card: loading, empty, failed, refused, offline, and shown. */

import { ApiError, OfflineError, SignedOutError } from "../api.js";
import { fill, h } from "../dom.js";
import { keepFocus } from "../focus.js";
import { formatClock } from "../format.js";
import { icon } from "../icons.js";
import { button, copyButton } from "./buttons.js";

const FORBIDDEN = "forbidden";

/**
 * Return grey shapes in place of content.
 * @param {"cards" | "rows" | "dense" | "chart"} shape
 * @param {number} [count]
 */
export function skeleton(shape, count = 4) {
  const parts = Array.from({ length: count }, () => h("div", { class: `skeleton skeleton-${shape}` }));
  return h("div", { class: `skeletons skeletons-${shape}`, "aria-hidden": "true" }, ...parts);
}

/**
 * Return the content of an empty list: its purpose, and the first action.
 * @param {string} title
 * @param {string} text
 * @param {Node | null} [action]
 */
export function emptyState(title, text, action = null) {
  return h("div", { class: "state" }, h("h2", {}, title), h("p", {}, text), action);
}

/**
 * Return a notice with an icon and a text.
 * @param {"ok" | "warn" | "bad" | "info"} kind
 * @param {...(Node | string)} content
 */
export function notice(kind, ...content) {
  const name = kind === "ok" ? "check" : kind;
  return h("div", { class: `notice notice-${kind}` }, icon(name), h("div", {}, ...content));
}

/**
 * Return a badge: an icon and a word.
 * @param {"ok" | "warn" | "bad" | "info" | "off"} kind
 * @param {string} text
 */
export function badge(kind, text) {
  const names = { ok: "check", warn: "warn", bad: "bad", info: "info", off: "off" };
  return h("span", { class: `badge badge-${kind}` }, icon(names[kind]), text);
}

/**
 * Load data, and show it in *place*. Each call of the returned function loads it again, or takes the data that it is
 * given. The last call wins. What is shown stays until then, and while there is no network.
 * @template Data
 * @param {object} options
 * @param {HTMLElement} options.place
 * @param {string} options.subject "the keys": it stands in the texts of failures
 * @param {Node} options.loading
 * @param {AbortSignal} options.signal
 * @param {() => Promise<Data>} options.load
 * @param {(data: Data) => Node | (Node | null)[]} options.show
 * @returns {(given?: Data) => Promise<void>}
 */
export function loadInto({ place, subject, loading, signal, load, show }) {
  let shownAt = /** @type {Date | null} */ (null);
  let lastTurn = 0;
  const stale = h("div", { role: "status" });
  const content = h("div", {}, loading);
  place.classList.add("stack");
  fill(place, stale, content);

  /**
   * @param {Node | null} trouble
   * @param {() => Node | (Node | null)[]} [make] the content, which stays without it
   */
  function showNow(trouble, make) {
    keepFocus(place, () => {
      fill(stale, trouble);
      if (make) fill(content, make());
    });
  }

  /** @param {Data} [given] */
  async function run(given) {
    const turn = (lastTurn += 1);
    place.setAttribute("aria-busy", "true");
    try {
      const data = given ?? (await load());
      if (signal.aborted || turn !== lastTurn) return;
      showNow(null, () => show(data));
      shownAt = new Date();
    } catch (error) {
      if (signal.aborted || turn !== lastTurn || error instanceof SignedOutError) return;
      if (error instanceof OfflineError && shownAt) {
        showNow(offlineNotice(shownAt, () => run()));
      } else {
        showNow(null, () => failure(error, subject, () => run()));
        if (!(error instanceof ApiError || error instanceof OfflineError)) console.error(error);
      }
    } finally {
      if (turn === lastTurn) place.removeAttribute("aria-busy");
    }
  }
  addEventListener("online", () => shownAt && void run(), { signal });
  return run;
}

/**
 * @param {Date} shownAt
 * @param {() => Promise<void>} retry
 */
function offlineNotice(shownAt, retry) {
  const text = `The server cannot be reached. The content is of ${formatClock(shownAt)}.`;
  const element = notice("warn", h("p", {}, text), button("Retry", { onClick: () => void retry() }));
  element.querySelector(".icon")?.replaceWith(icon("offline"));
  return element;
}

/**
 * Return the content in place of data that could not be loaded.
 * @param {unknown} error
 * @param {string} subject
 * @param {() => Promise<void>} retry
 */
export function failure(error, subject, retry) {
  const again = button("Retry", { iconName: "rotate", onClick: () => void retry() });
  if (error instanceof ApiError && error.code === FORBIDDEN) {
    const who = "An admin of your organization can change your role.";
    return h("div", { class: "state" }, icon("off"), h("h2", {}, `You may not see ${subject}`), h("p", {}, error.message, " ", who));
  }
  const text = error instanceof ApiError || error instanceof OfflineError ? error.message : "The console has failed.";
  const id = error instanceof ApiError ? error.requestId : null;
  return h(
    "div",
    { class: "state", role: "alert" },
    icon(error instanceof OfflineError ? "offline" : "bad"),
    h("h2", {}, `Could not load ${subject}`),
    h("p", {}, text),
    id && h("p", { class: "request-id" }, "Request ", h("code", {}, id), " ", copyButton(id, "Copy request id")),
    again,
  );
}
