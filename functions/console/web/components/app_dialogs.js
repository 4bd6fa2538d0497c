/** The dialogs of apps: create, change, delete. */

import { request } from "../api.js";
import { idempotencyKeys } from "../attempts.js";
import { freshId, h } from "../dom.js";
import { formatNumber } from "../format.js";
import { destroyDialog } from "./destroy_dialog.js";
import { openDialog } from "./dialog.js";
import { actionForm, textField } from "./fields.js";
import { notice } from "./states.js";
import { toast } from "./toast.js";

/** @typedef {import("../types.d.ts").App} App */

const PLATFORMS = ["web", "ios", "android", "server"];

/** @param {() => void} onChange */
export function createApp(onChange) {
  const keyOf = idempotencyKeys();
  appDialog("Create app", null, async (body) => {
    await request("POST", "apps", { body, idempotencyKey: keyOf(body) });
    toast(`“${body.name}” is created. Create a write key for it next.`);
    onChange();
  });
}

/**
 * @param {App} app
 * @param {() => void} onChange
 */
export function changeApp(app, onChange) {
  appDialog("Change app", app, async (body) => {
    await request("PATCH", `apps/${app.id}`, { body });
    toast(`“${body.name}” is saved.`);
    onChange();
  });
}

/**
 * Ask for the name, and delete an app.
 * @param {App} app
 * @param {number | null} liveKeys null is unknown
 * @param {() => void} onChange
 */
export function deleteApp(app, liveKeys, onChange) {
  const keys = { 0: "It has no live keys.", 1: "Its key is refused from now on." }[liveKeys ?? -1];
  const text = keys ?? (liveKeys ? `Its ${formatNumber(liveKeys)} live keys are refused from now on.` : "Its keys are refused from now on.");
  void destroyDialog({
    title: "Delete app",
    name: app.name,
    before: [notice("warn", h("p", {}, `${text} Events that it has sent stay, and go on counting. A deleted app cannot come back.`))],
    async work() {
      await request("DELETE", `apps/${app.id}`);
      toast(`“${app.name}” is deleted.`);
      onChange();
    },
  });
}

/**
 * Ask for name and platform.
 * @param {string} title it is also the text of the button
 * @param {App | null} app
 * @param {(body: { name: string, platform: string }) => Promise<void>} work
 */
function appDialog(title, app, work) {
  const listId = freshId("platforms");
  const name = textField({ name: "name", label: "Name", value: app?.name, more: { maxlength: 255 } });
  const more = { maxlength: 100, list: listId };
  const platform = textField({ name: "platform", label: "Platform", hint: "Such as web, ios, android or server.", value: app?.platform, more });
  const choices = h("datalist", { id: listId }, ...PLATFORMS.map((value) => h("option", { value })));
  const form = actionForm({
    fields: [name, platform],
    action: title,
    after: [choices],
    async work() {
      await work({ name: name.value(), platform: platform.value() });
      dialog.close();
    },
  });
  const dialog = openDialog({ title, content: [h("div", { class: "dialog-body" }, form.element)] });
}
