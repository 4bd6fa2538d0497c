/** The dialog that asks for a name before something ends for good. */

import { h } from "../dom.js";
import { openDialog } from "./dialog.js";
import { actionForm, textField } from "./fields.js";
import { notice } from "./states.js";

/**
 * Ask for *name*, and run *work* once it is typed.
 * @param {object} options
 * @param {string} options.action the title, and the text of the button
 * @param {string} options.name
 * @param {string} options.warning what ends
 * @param {() => Promise<void>} options.work
 */
export function confirmName({ action, name, warning, work }) {
  const field = textField({ name: "name", label: `Type the name: ${name}` });
  const form = actionForm({
    fields: [field],
    action,
    look: "danger",
    before: [notice("warn", h("p", {}, warning))],
    async work() {
      if (field.value().trim() !== name) return field.fault("The name differs.");
      await work();
      dialog.close();
    },
  });
  const dialog = openDialog({ title: action, content: [h("div", { class: "dialog-body" }, form.element)] });
}
