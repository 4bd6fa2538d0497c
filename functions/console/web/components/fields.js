/** Forms: fields with a label, a hint and an error, and the way of a refusal to its fields. */

import { ApiError, OfflineError } from "../api.js";
import { freshId, fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { button, whileBusy } from "./buttons.js";

/**
 * @typedef {object} Field
 * @property {string} name the member of the body, also "outer/inner"
 * @property {HTMLElement} element
 * @property {() => string} value
 * @property {(message: string | null) => void} fault
 * @property {HTMLElement} input
 */

/**
 * @typedef {object} FieldOptions
 * @property {string} name
 * @property {string} label
 * @property {string} [hint]
 * @property {string} [value]
 * @property {string} [type]
 * @property {string} [autocomplete]
 * @property {boolean} [isRequired]
 * @property {Record<string, string | number | boolean>} [more] further attributes of the input
 */

/**
 * Return a field for a line of text.
 * @param {FieldOptions} options
 * @returns {Field}
 */
export function textField({ name, label, hint, value = "", type = "text", autocomplete = "off", isRequired, more }) {
  const input = h("input", { type, name, autocomplete, required: isRequired, spellcheck: "false", ...more });
  input.value = value;
  return wrap(name, label, hint, input, () => input.value);
}

/**
 * Return a field for several lines of text.
 * @param {FieldOptions} options
 * @returns {Field}
 */
export function areaField({ name, label, hint, value = "", more }) {
  const input = h("textarea", { name, spellcheck: "false", ...more });
  input.value = value;
  return wrap(name, label, hint, input, () => input.value);
}

/**
 * Return a field with a list of choices.
 * @param {FieldOptions & { choices: [string, string][] }} options values with their texts
 * @returns {Field}
 */
export function selectField({ name, label, hint, value, choices }) {
  const options = choices.map(([choice, text]) => h("option", { value: choice, selected: choice === value }, text));
  const input = h("select", { name }, ...options);
  return wrap(name, label, hint, input, () => input.value);
}

/**
 * Return a group of check boxes or radio buttons.
 * @param {object} options
 * @param {string} options.name
 * @param {string} options.label
 * @param {"checkbox" | "radio"} options.type
 * @param {[string, string, string?][]} options.choices values, texts and explanations
 * @param {string[]} options.chosen
 * @param {(values: string[]) => void} [options.onChange]
 */
export function choiceGroup({ name, label, type, choices, chosen, onChange }) {
  const faultId = freshId("fault");
  const inputs = choices.map(([value]) => h("input", { type, name, value, checked: chosen.includes(value) }));
  const values = () => inputs.filter((input) => input.checked).map((input) => input.value);
  const rows = choices.map(([, text, explanation], index) =>
    h("label", { class: "choice" }, inputs[index], h("span", {}, text, explanation && h("small", {}, explanation))),
  );
  const fault = h("p", { class: "fault", id: faultId, hidden: true });
  const element = h("fieldset", { class: "choices", on: { change: () => onChange?.(values()) } });
  element.append(h("legend", {}, label), ...rows, fault);
  /** @param {string[]} wanted */
  function choose(wanted) {
    for (const input of inputs) input.checked = wanted.includes(input.value);
    onChange?.(values());
  }
  return { name, element, values, choose, value: () => values().join(","), input: inputs[0], fault: showing(fault, element) };
}

/**
 * Return a form whose button runs *work* with the fields. A refusal is shown at its fields, or above the button.
 * @param {object} options
 * @param {Field[]} options.fields
 * @param {string} options.action the text of the button
 * @param {() => Promise<void>} options.work
 * @param {"primary" | "danger"} [options.look]
 * @param {Node[]} [options.before] content above the fields
 * @param {Node[]} [options.after] content between fields and button
 * @param {Node[]} [options.groups] the elements of the fields in groups
 */
export function actionForm({ fields, action, work, look = "primary", before = [], after = [], groups }) {
  const summary = h("div", { class: "form-fault", role: "alert" });
  const submit = button(action, { look, type: "submit" });
  const onSubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void whileBusy(submit, async () => {
      fill(summary);
      for (const field of fields) field.fault(null);
      try {
        await work();
      } catch (error) {
        showRefusal(error, fields, summary);
      }
    });
  };
  const element = h("form", { class: "form", novalidate: true, on: { submit: onSubmit } });
  element.append(...before, ...(groups ?? fields.map((field) => field.element)), ...after, summary);
  element.append(h("div", { class: "form-actions" }, submit));
  return { element, submit };
}

/**
 * @param {unknown} error
 * @param {Field[]} fields
 * @param {HTMLElement} summary
 */
function showRefusal(error, fields, summary) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  const faults = error instanceof ApiError ? error.fields : [];
  const atFault = fields.filter((field) => {
    const own = faults.filter((fault) => isAt(fault.location, field.name));
    field.fault(own.map((fault) => fault.message).join(" ") || null);
    return own.length > 0;
  });
  if (atFault.length > 0) atFault[0].input.focus();
  const names = atFault.map((field) => field.name);
  const others = faults.filter((fault) => !names.some((name) => isAt(fault.location, name)));
  if (faults.length > 0 && others.length === 0) return;
  const known = error instanceof ApiError || error instanceof OfflineError ? error.message : "The console has failed.";
  const detail = others.map((fault) => fault.message).join(" ") || known;
  const id = error instanceof ApiError && error.status >= 500 ? ` Request ${error.requestId}.` : "";
  fill(summary, h("p", { class: "notice notice-bad" }, icon("bad"), h("span", {}, `${detail}${id}`)));
  if (!(error instanceof ApiError || error instanceof OfflineError)) throw error;
}

/**
 * Tell whether a location such as "body/scopes/0" is a member, or within it.
 * @param {string} location
 * @param {string} name
 */
function isAt(location, name) {
  return `${location.slice(location.indexOf("/") + 1)}/`.startsWith(`${name}/`);
}

/**
 * @param {string} name
 * @param {string} label
 * @param {string | undefined} hint
 * @param {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} input
 * @param {() => string} value
 * @returns {Field}
 */
function wrap(name, label, hint, input, value) {
  const [id, hintId, faultId] = [freshId("field"), freshId("hint"), freshId("fault")];
  input.id = id;
  input.setAttribute("aria-describedby", hint ? `${hintId} ${faultId}` : faultId);
  const fault = h("p", { class: "fault", id: faultId, hidden: true });
  const element = h("div", { class: "field" }, h("label", { for: id }, label), input);
  if (hint) element.append(h("p", { class: "hint", id: hintId }, hint));
  element.append(fault);
  return { name, element, value, input, fault: showing(fault, input) };
}

/**
 * @param {HTMLElement} fault
 * @param {HTMLElement} input
 * @returns {(message: string | null) => void}
 */
function showing(fault, input) {
  return (message) => {
    fault.hidden = !message;
    fill(fault, message && icon("bad"), message && h("span", {}, message));
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  };
}
