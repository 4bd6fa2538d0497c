/** The panel of an organization without events: a snippet, and a line that waits for the first event. */

import { ApiError, OfflineError, request } from "../api.js";
import { idempotencyKeys } from "../attempts.js";
import { createdWriteKey, keepCreatedKey } from "../created_keys.js";
import { fill, h } from "../dom.js";
import { formatMoment } from "../format.js";
import { icon } from "../icons.js";
import { poll } from "../poll.js";
import { setQuery } from "../router.js";
import { may } from "../session.js";
import { button, copyButton, whileBusy } from "./buttons.js";
import { snippetTabs } from "./snippet_tabs.js";
import { notice } from "./states.js";
import { announce } from "./toast.js";

/** @typedef {import("../types.d.ts").StoredEvent} StoredEvent */

const PLACEHOLDER = "wk_YOUR_WRITE_KEY";
const NAME = "First event";

/**
 * @param {import("../types.d.ts").View} view
 * @param {(event: StoredEvent) => void} onArrival
 */
export function firstEventPanel(view, onArrival) {
  const live = h("p", { class: "waiting", role: "status" }, h("span", { class: "pulse" }), "Waiting for your first event…");
  const keyLine = h("div", { class: "stack-small" });
  const trouble = h("div", { role: "alert" });
  const tabs = snippetTabs(() => createdWriteKey() ?? PLACEHOLDER, view.query.get("sdk"), (sdk) => setQuery({ sdk }));
  const arrived = new AbortController();
  const signal = AbortSignal.any([view.signal, arrived.signal]);
  const keyOf = idempotencyKeys();
  showKey();
  poll(ask, signal);

  async function ask() {
    const { data } = await request("GET", "events", { query: { limit: 1 }, signal });
    if (data.length === 0) return;
    arrived.abort();
    fill(live, h("span", { class: "celebration" }, icon("check")), describe(data[0]));
    live.classList.add("arrived");
    announce("Your first event has arrived.");
    onArrival(data[0]);
  }

  function showKey() {
    const key = createdWriteKey();
    if (key) {
      const text = "This key is in the snippet. It is shown on this visit only.";
      return fill(keyLine, h("div", { class: "secret" }, h("code", {}, key), copyButton(key, "Copy the key")), h("p", { class: "hint" }, text));
    }
    if (!may("keys:write")) return fill(keyLine, h("p", {}, "Ask an admin of your organization for a write key."));
    const create = button("Create a write key", { look: "primary", iconName: "plus" });
    create.addEventListener("click", () => void whileBusy(create, createKey));
    fill(keyLine, h("div", {}, create), h("p", { class: "hint" }, "A write key may only send events, so it may be in a web page."));
  }

  async function createKey() {
    try {
      const [app] = (await request("GET", "apps", { query: { limit: 1 } })).data;
      const body = { type: "write", name: NAME, app_id: app?.id };
      keepCreatedKey(await request("POST", "keys", { body, idempotencyKey: keyOf(body) }));
      fill(trouble);
      showKey();
      keyLine.querySelector("button")?.focus();
      tabs.update();
      announce("The key was created.");
    } catch (error) {
      const isKnown = error instanceof ApiError || error instanceof OfflineError;
      fill(trouble, notice("bad", isKnown ? error.message : "The key was not created."));
    }
  }

  return h(
    "section",
    { class: "card first-event", "aria-labelledby": "first-event" },
    h("h2", { id: "first-event" }, "Send your first event"),
    h("p", { class: "muted" }, "Pick an SDK, create a key, and run the snippet. The event appears here by itself."),
    keyLine,
    trouble,
    tabs.element,
    live,
  );
}

/** @param {StoredEvent} event */
function describe(event) {
  const what = `“${event.event_name}” of ${event.platform} arrived at ${formatMoment(event.received_at)}.`;
  return h("span", {}, h("strong", {}, "Your first event is here. "), what);
}
