/** The dialog before a change that cannot be undone: its effects, and the name to type. */

import { h } from "../dom.js";
import { openDialog } from "./dialog.js";
import { actionForm, textField } from "./fields.js";

/** @typedef {import("./fields.js").Field} Field */

const DONE = "done";

/**
 * @param {object} options
 * @param {string} options.title it is also the text of the button
 * @param {Node[]} options.before the effects
 * @param {string} options.name the text to type
 * @param {Field[]} [options.fields] further fields
 * @param {string} [options.label] before the name
 * @param {() => Promise<void>} options.work runs if the name is right. Then the dialog closes
 * @returns {Promise<boolean>} whether it was done, when the dialog is closed
 */
export async function destroyDialog({ title, before, name, fields = [], label = "Type the name", work }) {
  const typed = textField({ name: "typed", label: `${label}: ${name}` });
  const form = actionForm({
    fields: [...fields, typed],
    action: title,
    look: "danger",
    before,
    async work() {
      if (typed.value().trim() !== name.trim()) {
        typed.input.focus();
        return typed.fault("The name differs.");
      }
      await work();
      dialog.close(DONE);
    },
  });
  const dialog = openDialog({ title, content: [h("div", { class: "dialog-body" }, form.element)] });
  return (await dialog.closed) === DONE;
}
