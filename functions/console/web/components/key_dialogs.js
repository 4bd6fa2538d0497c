/** The dialogs of keys: the new key once, rotate, revoke. */

import { request } from "../api.js";
import { forgetCreatedKey, keepCreatedKey } from "../created_keys.js";
import { fill, h } from "../dom.js";
import { formatMoment, formatRelative } from "../format.js";
import { copyButton } from "./buttons.js";
import { destroyDialog } from "./destroy_dialog.js";
import { openDialog } from "./dialog.js";
import { actionForm, choiceGroup, selectField } from "./fields.js";
import { snippetTabs } from "./snippet_tabs.js";
import { notice } from "./states.js";
import { toast } from "./toast.js";

/** @typedef {import("../types.d.ts").Key} Key */
/** @typedef {import("../types.d.ts").NewKey} NewKey */

const HOUR_SECONDS = 3_600;
/** @type {[string, string][]} */
const OVERLAPS = [
  ["0", "No overlap: the old key ends at once"],
  ["1", "1 hour"],
  ["24", "24 hours"],
  ["72", "72 hours"],
  ["168", "168 hours, the longest"],
];

/**
 * Show a new key, which the API never shows again. Resolves when it is stored, or left.
 * @param {NewKey} key
 * @param {string} title
 * @param {string} [more]
 */
export async function showNewKey(key, title, more = "") {
  keepCreatedKey(key);
  const warning = h("div", { role: "alert" });
  const stored = choiceGroup({
    name: "stored",
    label: "Before you go on",
    type: "checkbox",
    choices: [["yes", "I have stored it"]],
    chosen: [],
    onChange: () => fill(warning),
  });
  let isWarned = false;
  function mayLeave() {
    if (stored.values().length > 0 || isWarned) return true;
    isWarned = true;
    const text = "The key cannot be shown again. Store it, or close again to leave without it.";
    fill(warning, notice("warn", text));
    return false;
  }
  const keepPage = (/** @type {Event} */ event) => stored.values().length === 0 && event.preventDefault();
  addEventListener("beforeunload", keepPage);
  const form = actionForm({
    fields: [],
    action: "Done",
    before: [stored.element, warning],
    work: async () => void (mayLeave() && dialog.close()),
  });
  const secret = h("div", { class: "secret" }, h("code", { tabindex: "0", "aria-label": "The key" }, key.key), copyButton(key.key, "Copy the key"));
  const snippet = key.type === "write" ? [h("h3", {}, "Send an event with it"), snippetTabs(() => key.key, null, () => {}).element] : usageSnippet(key.key);
  const intro = h("p", {}, `This is the only time that the text of “${key.name}” is shown. ${more}`);
  const content = [h("div", { class: "dialog-body" }, intro, secret, ...snippet, form.element)];
  const dialog = openDialog({ title, content, mayLeave, isWide: true });
  await dialog.closed;
  removeEventListener("beforeunload", keepPage);
}

/**
 * Return the call of a server with a secret key.
 * @param {string} key
 */
function usageSnippet(key) {
  const code = `curl ${new URL("../usage", import.meta.url).href} -H "Authorization: Bearer ${key}"`;
  return [h("h3", {}, "Read the usage with it"), h("pre", { class: "code", tabindex: "0", "aria-label": "Code" }, code)];
}

/**
 * Ask for the overlap, and rotate a key.
 * @param {Key} key
 * @param {() => void} onChange
 */
export function rotateKey(key, onChange) {
  const overlap = selectField({ name: "overlap_seconds", label: "Overlap", value: "24", choices: OVERLAPS });
  const end = h("p", { class: "hint", role: "status" });
  function showEnd() {
    const hours = Number(overlap.value());
    const at = new Date(Date.now() + hours * HOUR_SECONDS * 1_000);
    end.textContent = hours === 0 ? "The old key is refused from now on." : `The old key works until ${formatMoment(at)}.`;
  }
  overlap.input.addEventListener("change", showEnd);
  showEnd();
  const form = actionForm({
    fields: [overlap],
    action: "Rotate key",
    before: [h("p", {}, `A new key with the same name, app and scopes replaces “${key.name}”. Both work during the overlap.`)],
    after: [end],
    async work() {
      const body = { overlap_seconds: Number(overlap.value()) * HOUR_SECONDS };
      /** @type {NewKey & { replaces: { ends_at: string } }} */
      const replacement = await request("POST", `keys/${key.id}/rotate`, { body, idempotencyKey });
      dialog.close();
      await showNewKey(replacement, "The new key", `The old key ends at ${formatMoment(replacement.replaces.ends_at)}.`);
      onChange();
    },
  });
  const idempotencyKey = crypto.randomUUID();
  const dialog = openDialog({ title: "Rotate key", content: [h("div", { class: "dialog-body" }, form.element)] });
}

/**
 * Ask for the name, and revoke a key.
 * @param {Key} key
 * @param {string} appName
 * @param {() => void} onChange
 */
export function revokeKey(key, appName, onChange) {
  const use = key.last_used_at ? `It was last used ${formatRelative(key.last_used_at)}.` : "It was never used.";
  const loss =
    key.type === "write"
      ? `Apps that send events with it lose them from now on (${appName}).`
      : "Servers that call the API with it are refused from now on.";
  void destroyDialog({
    title: "Revoke key",
    name: key.name,
    before: [notice("warn", h("p", {}, `${loss} ${use} A revoked key never works again.`))],
    async work() {
      await request("DELETE", `keys/${key.id}`);
      forgetCreatedKey(key.id);
      toast(`“${key.name}” is revoked.`);
      onChange();
    },
  });
}
