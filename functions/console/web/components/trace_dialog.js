/** The dialog "Where is my event?". */

import { fill, h } from "../dom.js";
import { traceEvents } from "../event_source.js";
import { formatExact, formatNumber, formatRelative } from "../format.js";
import { describeQueue, describeState, MOST_TRACED, parseIds } from "../trace.js";
import { button } from "./buttons.js";
import { openDialog } from "./dialog.js";
import { actionForm, areaField } from "./fields.js";
import { badge } from "./states.js";
import { longText, table } from "./table.js";
import { announce } from "./toast.js";

/** @typedef {import("../types.d.ts").Trace} Trace */
/** @typedef {import("../types.d.ts").TracedEvent} TracedEvent */

const HINT = "One event_id a line, or the JSON of events. Behind a tab: the device_id, and behind another tab the time.";

/**
 * @param {object} options
 * @param {string} options.text the ids to ask for at first
 * @param {AbortSignal} options.signal
 * @param {(text: string) => void} options.onAsk
 * @param {(event: TracedEvent) => void} options.onOpen
 * @param {() => void} options.onClose
 */
export function traceDialog({ text, signal, onAsk, onOpen, onClose }) {
  const ids = areaField({ name: "ids", label: "Ids of events", hint: HINT, value: text, more: { rows: 4 } });
  const result = h("div", { class: "stack-small" });
  const form = actionForm({
    fields: [ids],
    action: "Find",
    async work() {
      const asked = parseIds(ids.value());
      if (asked.length === 0) return refuse("Enter at least one id.");
      if (asked.length > MOST_TRACED) return refuse(`You entered ${formatNumber(asked.length)} ids. Enter at most ${formatNumber(MOST_TRACED)} at once.`);
      fill(result, showTrace(await traceEvents(asked, signal), open));
      onAsk(ids.value());
    },
  });

  /** @param {string} message */
  function refuse(message) {
    ids.fault(message);
    ids.input.focus();
  }

  /** @param {TracedEvent} event */
  function open(event) {
    dialog.close();
    onOpen(event);
  }
  const content = [h("div", { class: "dialog-body" }, form.element, result)];
  const dialog = openDialog({ title: "Where is my event?", content, isWide: true });
  void dialog.closed.then(onClose);
  if (text) form.element.requestSubmit();
}

/**
 * @param {Trace} trace
 * @param {(event: TracedEvent) => void} onOpen
 */
function showTrace({ events, queue }, onOpen) {
  const stored = events.filter((event) => event.state === "stored").length;
  announce(`${formatNumber(stored)} of ${formatNumber(events.length)} stored`);
  const rows = table({
    caption: "Where the events are",
    rows: events,
    columns: [
      { title: "Id", cell: (event) => h("code", {}, longText(event.event_id)) },
      { title: "State", cell: (event) => stateOf(event) },
      { title: "Received", cell: (event) => (event.received_at ? formatExact(event.received_at) : "–") },
      { title: "Actions", isHidden: true, cell: (event) => opener(event, onOpen) },
    ],
  });
  return [h("p", { class: "meta" }, describeQueue(queue, formatRelative)), rows];
}

/** @param {TracedEvent} event */
function stateOf(event) {
  const { kind, title, text } = describeState(event);
  return [badge(kind, title), h("p", { class: "meta" }, text)];
}

/**
 * @param {TracedEvent} event
 * @param {(event: TracedEvent) => void} onOpen
 */
function opener(event, onOpen) {
  if (event.state !== "stored") return null;
  return button("Open", { label: `Open ${event.event_id}`, onClick: () => onOpen(event) });
}
