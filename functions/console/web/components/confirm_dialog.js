/** The dialog before a change that can be undone. */

import { h } from "../dom.js";
import { openDialog } from "./dialog.js";
import { actionForm } from "./fields.js";

/**
 * Ask whether to go on. Resolves to whether it was done.
 * @param {string} title it is also the text of the button
 * @param {Node[]} before
 * @param {"primary" | "danger"} look
 * @param {() => Promise<void>} work
 */
export async function confirmDialog(title, before, look, work) {
  const form = actionForm({
    fields: [],
    action: title,
    look,
    before,
    async work() {
      await work();
      dialog.close("done");
    },
  });
  const dialog = openDialog({ title, content: [h("div", { class: "dialog-body" }, form.element)] });
  return (await dialog.closed) === "done";
}
