/** The dialog that creates a key. */

import { request } from "../api.js";
import { idempotencyKeys } from "../attempts.js";
import { h } from "../dom.js";
import { scopeChoices } from "../scopes.js";
import { button } from "./buttons.js";
import { openDialog } from "./dialog.js";
import { actionForm, choiceGroup, selectField, textField } from "./fields.js";
import { showNewKey } from "./key_dialogs.js";

/** @typedef {import("../types.d.ts").App} App */
/** @typedef {import("../types.d.ts").NewKey} NewKey */

const DAY_MS = 86_400_000;
const NO_APP = "";
/** @type {[string, string][]} */
const EXPIRIES = [
  ["", "Never"],
  ["30", "In 30 days"],
  ["90", "In 90 days"],
  ["365", "In 365 days"],
];

/**
 * @param {App[]} apps
 * @param {string[]} permissions of the member
 * @param {() => void} onChange
 */
export function createKey(apps, permissions, onChange) {
  const kind = choiceGroup({
    name: "type",
    label: "Kind",
    type: "radio",
    choices: [
      ["write", "Write key", "For apps and web pages. It only sends events."],
      ["secret", "Secret key", "For servers. It has the scopes that you choose."],
    ],
    chosen: ["write"],
    onChange: adapt,
  });
  const name = textField({ name: "name", label: "Name", hint: "Where the key is used, such as “Web shop”.", more: { maxlength: 255 } });
  const appChoices = /** @type {[string, string][]} */ (apps.map((app) => [app.id, app.name]));
  const app = selectField({ name: "app_id", label: "App", value: apps[0]?.id, choices: [[NO_APP, "No app"], ...appChoices] });
  const { choices, chosen, usual } = scopeChoices(permissions);
  const scopes = choiceGroup({ name: "scopes", label: "Scopes", type: "checkbox", choices, chosen });
  scopes.element.classList.add("choices-two");
  scopes.element.querySelector("legend")?.after(scopeButtons(usual, scopes.choose));
  const expiry = selectField({ name: "expires_at", label: "Expires", value: "", choices: EXPIRIES });

  function adapt() {
    const isWrite = kind.value() === "write";
    scopes.element.hidden = isWrite;
    if (!(app.input instanceof HTMLSelectElement)) return;
    app.input.options[0].hidden = isWrite;
    app.input.value = (isWrite && apps[0]?.id) || NO_APP;
  }
  adapt();

  const openedAt = Date.now();
  const keyOf = idempotencyKeys();
  const form = actionForm({
    fields: [kind, name, app, scopes, expiry],
    action: "Create key",
    async work() {
      const days = Number(expiry.value());
      const isSecret = kind.value() === "secret";
      const body = {
        type: kind.value(),
        name: name.value(),
        ...(app.value() ? { app_id: app.value() } : {}),
        ...(isSecret ? { scopes: scopes.values() } : {}),
        ...(days ? { expires_at: new Date(openedAt + days * DAY_MS).toISOString() } : {}),
      };
      /** @type {NewKey} */
      const key = await request("POST", "keys", { body, idempotencyKey: keyOf(body) });
      dialog.close();
      await showNewKey(key, "Your new key");
      onChange();
    },
  });
  const dialog = openDialog({ title: "Create key", content: [h("div", { class: "dialog-body" }, form.element)], isWide: true });
}

/**
 * Return buttons that choose many scopes, or none.
 * @param {string[]} usual
 * @param {(scopes: string[]) => void} choose
 */
function scopeButtons(usual, choose) {
  const all = button("Select all but the strongest", { onClick: () => choose(usual) });
  return h("div", { class: "row" }, all, button("Select none", { onClick: () => choose([]) }));
}
