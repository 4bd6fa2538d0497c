/** The dialog that erases a data subject. */

import { request } from "../api.js";
import { h } from "../dom.js";
import { destroyDialog } from "./destroy_dialog.js";
import { openDialog } from "./dialog.js";
import { actionForm, choiceGroup, textField } from "./fields.js";
import { notice } from "./states.js";
import { toast } from "./toast.js";

const NAMES = /** @type {Record<string, string>} */ ({ device_id: "device", user_id: "user" });

/**
 * Ask for the data subject, then for its name again, and request the erasure.
 * @param {() => void} onChange
 */
export function eraseSubject(onChange) {
  const kind = choiceGroup({
    name: "kind",
    label: "Named by",
    type: "radio",
    choices: [
      ["device_id", "Device", "The device_id of its events, and the anonymousId and previousId."],
      ["user_id", "User", "The userId, user_id and previousId in the properties of its events."],
    ],
    chosen: ["device_id"],
    onChange: () => id.fault(null),
  });
  const id = textField({ name: "id", label: "Id", hint: "Exactly as it was sent, 1 to 255 characters.", more: { maxlength: 255 } });
  const form = actionForm({
    fields: [kind, id],
    action: "Go on",
    before: [h("p", {}, "All events of one device or user are deleted, and usage and statistics fall, also in closed months.")],
    async work() {
      if (!id.value()) {
        id.input.focus();
        return id.fault("Enter the id.");
      }
      dialog.close();
      confirmErasure(kind.value(), id.value(), onChange);
    },
  });
  const dialog = openDialog({ title: "Erase a data subject", content: [h("div", { class: "dialog-body" }, form.element)] });
}

/**
 * @param {string} kind
 * @param {string} id
 * @param {() => void} onChange
 */
function confirmErasure(kind, id, onChange) {
  const effects = [
    `The events of the ${NAMES[kind]} that were received or happened before now are deleted for good.`,
    "Events of the same data subject that arrive late are deleted for 30 days.",
    "Exports that were made before are withdrawn, because they have the events.",
    "The id is never shown again.",
  ];
  void destroyDialog({
    title: "Erase the data subject",
    label: "Type the id",
    name: id,
    before: [notice("bad", h("ul", { class: "bullets" }, ...effects.map((effect) => h("li", {}, effect))))],
    async work() {
      await request("POST", "erasures", { body: { [kind]: id } });
      toast("The erasure is requested.");
      onChange();
    },
  });
}
