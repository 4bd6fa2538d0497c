/** The filters of the audit log. */

import { ACTOR_ID } from "../audit_query.js";
import { fill, freshId, h } from "../dom.js";

/** @typedef {import("../audit_query.js").Filters} Filters */

/**
 * Return the filters, and how to fill their lists once names and entries are known.
 * @param {Filters} filters
 * @param {(changes: Partial<Filters>) => void} onChange
 */
export function auditFilters(filters, onChange) {
  const from = input("from", "From (UTC)", "date");
  const to = input("to", "To (UTC)", "date");
  const actor = h("select", { id: freshId("filter") });
  const action = input("action", "Action", "text");
  const outcome = h("select", { id: freshId("filter") }, ...options([["", "Any outcome"], ["done", "Done"], ["refused", "Refused"]], filters.outcome));
  const known = h("datalist", { id: freshId("actions") });
  action.field.setAttribute("list", known.id);
  action.field.setAttribute("placeholder", "such as session.started");
  action.field.setAttribute("data-filter", "");
  outcome.addEventListener("change", () => onChange({ outcome: outcome.value }));
  actor.addEventListener("change", () => onChange({ actor: actor.value }));

  /**
   * @param {keyof Filters} name
   * @param {string} label
   * @param {string} type
   */
  function input(name, label, type) {
    const id = freshId("filter");
    const field = h("input", { id, type, autocomplete: "off", spellcheck: "false" });
    field.value = filters[name];
    field.addEventListener("change", () => onChange({ [name]: field.value }));
    return { field, element: h("div", { class: "filter-field" }, h("label", { for: id }, label), field) };
  }

  /** @param {Map<string, string>} names */
  function showNames(names) {
    const choices = /** @type {[string, string][]} */ ([["", "Anyone"], ...[...names].sort((one, other) => one[1].localeCompare(other[1]))]);
    if (ACTOR_ID.test(filters.actor) && !names.has(filters.actor)) choices.push([filters.actor, filters.actor]);
    fill(actor, ...options(choices, filters.actor));
  }
  showNames(new Map());
  const labelled = (/** @type {HTMLSelectElement} */ select, /** @type {string} */ label) =>
    h("div", { class: "filter-field" }, h("label", { for: select.id }, label), select);
  const element = h(
    "div",
    { class: "audit-filters", role: "group", "aria-label": "Filters" },
    from.element,
    to.element,
    labelled(actor, "Who"),
    action.element,
    labelled(outcome, "Outcome"),
    known,
  );
  return {
    element,
    showNames,
    /** @param {string[]} actions */
    showActions: (actions) => fill(known, ...actions.map((value) => h("option", { value }))),
  };
}

/**
 * @param {[string, string][]} choices
 * @param {string} chosen
 */
function options(choices, chosen) {
  return choices.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
}
