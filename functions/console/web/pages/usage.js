/** Usage: the month against the quotas. */

import { exchange, request, requestAll } from "../api.js";
import { csvButton } from "../components/csv_button.js";
import { firstEventPanel } from "../components/first_event.js";
import { heldPanel } from "../components/held_panel.js";
import { quotaBanner } from "../components/quota_banner.js";
import { quotaCard } from "../components/quota_card.js";
import { emptyState, loadInto, skeleton } from "../components/states.js";
import { table } from "../components/table.js";
import { chartLegend, usageChart } from "../components/usage_chart.js";
import { h } from "../dom.js";
import { daysLeft, fillDays, METRICS, projectedUse } from "../quotas.js";
import { formatBytes, formatDays, formatNumber, formatUtcClock, formatUtcDay, formatUtcDays } from "../format.js";
import { setQuery } from "../router.js";
import { may } from "../session.js";

/** @typedef {import("../types.d.ts").Usage} Usage */
/** @typedef {import("../types.d.ts").App} App */
/** @typedef {import("../types.d.ts").View} View */
/** @typedef {{ usage: Usage, minute: string | null, isNew: boolean, upgradeUrl: string | null }} Month */

const RATE_POLICY = /q=(\d+)/;
const RATE_LEFT = /r=(\d+)/;
const [EVENTS] = METRICS;

/** @type {import("../types.d.ts").Page} */
export const page = {
  title: "Usage",
  purpose: "The usage of your organization in this month, and its quotas.",
  async show(view) {
    const line = h("p", { class: "meta" });
    const first = h("div", {});
    const month = h("div", {});
    const events = eventsCard(view);
    view.root.append(h("div", { class: "stack" }, line, first, month));
    const reload = loadInto({
      place: month,
      subject: "the usage",
      loading: h("div", { class: "stack" }, skeleton("cards", METRICS.length), skeleton("chart", 1)),
      signal: view.signal,
      load: () => loadMonth(view.signal),
      show: (data) => {
        const { period } = data.usage;
        const resets = `resets in ${formatDays(daysLeft(period, new Date()))}`;
        line.textContent = `${formatUtcDays(period.start, period.end)} (UTC) · ${resets} · as of ${formatUtcClock(new Date())}`;
        if (data.isNew && !first.firstChild) first.append(firstEventPanel(view, () => void reload()));
        void events.show(data.usage);
        return showMonth(data, events.element);
      },
    });
    await reload();
  },
};

/**
 * @param {AbortSignal} signal
 * @returns {Promise<Month>}
 */
async function loadMonth(signal) {
  const [{ document: usage, headers }, organization] = await Promise.all([
    exchange("GET", "usage", { signal }),
    request("GET", "organizations/current", { signal }),
  ]);
  const isEmpty = usage.quotas.events.used === 0 && usage.held.count === 0;
  const isNew = isEmpty && may("events:read") && (await request("GET", "events", { query: { limit: 1 }, signal })).data.length === 0;
  return { usage, minute: minuteOf(headers), isNew, upgradeUrl: organization.upgrade_url ?? null };
}

/**
 * Return the requests of this minute in words, from the headers of an answer.
 * @param {Headers} headers
 */
function minuteOf(headers) {
  const limit = RATE_POLICY.exec(headers.get("RateLimit-Policy") ?? "")?.[1];
  const left = RATE_LEFT.exec(headers.get("RateLimit") ?? "")?.[1];
  if (!limit || !left) return null;
  return `${formatNumber(Number(limit) - Number(left))} of ${formatNumber(Number(limit))} this minute`;
}

/**
 * @param {Month} month
 * @param {HTMLElement} events
 */
function showMonth({ usage, minute, upgradeUrl }, events) {
  const now = new Date();
  const cards = METRICS.map((metric) => quotaCard(metric, usage, now, metric.name === "api_requests" ? minute : null));
  return h("div", { class: "stack" }, quotaBanner(usage, now, upgradeUrl), heldPanel(usage.held), h("div", { class: "cards" }, ...cards), events);
}

/**
 * Return the chart of events with its switch of apps. It stays when the month is loaded again, and so does the focus.
 * @param {View} view
 */
function eventsCard(view) {
  let shown = /** @type {Usage | null} */ (null);
  const body = h("div", {});
  const choose = h("select", { "aria-label": "App", on: { change: () => change() } }, h("option", { value: "" }, "All apps"));
  const head = h("div", { class: "card-head" }, h("h2", {}, "Events of the month"), h("div", { class: "row" }, choose));
  choose.hidden = !(may("apps:read") && may("stats:read"));
  const load = loadInto({
    place: body,
    subject: "the events of the month",
    loading: skeleton("chart", 1),
    signal: view.signal,
    load: async () => {
      const usage = /** @type {Usage} */ (shown);
      return { usage, days: choose.value ? await daysOfApp(choose.value, usage, view.signal) : usage.daily };
    },
    show: ({ usage, days }) => monthOfEvents(view, usage, days, choose.value === ""),
  });
  function change() {
    setQuery({ app: choose.value });
    void load();
  }

  /** @param {Usage} usage */
  async function show(usage) {
    shown = usage;
    if (!choose.hidden && choose.options.length === 1) await addApps(view, choose);
    await load();
  }
  return { element: h("section", { class: "card", "aria-label": "Events of the month" }, head, body), show };
}

/**
 * Add the apps to the choices, unless they cannot be loaded.
 * @param {View} view
 * @param {HTMLSelectElement} choose
 */
async function addApps(view, choose) {
  const apps = /** @type {App[] | null} */ (await requestAll("apps", { signal: view.signal }).catch(() => null));
  if (!apps || choose.options.length > 1) return;
  for (const app of apps) choose.append(h("option", { value: app.id }, app.name));
  choose.append(h("option", { value: "none" }, "Without an app"));
  choose.value = view.query.get("app") ?? "";
  if (choose.selectedIndex < 0) choose.value = "";
}

/**
 * Return the days of one app. They are days of the events' own time.
 * @param {string} app
 * @param {Usage} usage
 * @param {AbortSignal} signal
 */
async function daysOfApp(app, usage, signal) {
  const query = { app_id: app, from: usage.period.start, to: usage.period.end };
  const rows = /** @type {{ day: string, events: number }[]} */ (await requestAll("stats", { query, signal }));
  return rows.map((row) => ({ date: row.day, events: row.events }));
}

/**
 * @param {View} view
 * @param {Usage} usage
 * @param {{ date: string, events: number }[]} daily
 * @param {boolean} isWhole all apps
 */
function monthOfEvents(view, usage, daily, isWhole) {
  const now = new Date();
  const days = fillDays(usage.period, daily, now);
  if (days.every((day) => day.events === 0)) {
    return emptyState("No events this month", "Events appear here a few seconds after they are sent.");
  }
  const projected = isWhole ? projectedUse(EVENTS, usage, now) : null;
  const limit = isWhole ? usage.quotas.events.limit : null;
  const titles = ["Day (UTC)", "Events", "Since the month began"];
  const csv = csvButton(`events-${usage.period.start}.csv`, titles, () => days.map((day) => [day.date, day.events, day.sum]));
  const rows = table({
    caption: "Events of each day",
    columns: [
      { title: titles[0], cell: (day) => formatUtcDay(day.date) },
      { title: titles[1], isNumber: true, cell: (day) => formatNumber(day.events) },
      { title: titles[2], isNumber: true, cell: (day) => formatNumber(day.sum) },
      ...(isWhole ? [{ title: "Stored", isNumber: true, cell: (/** @type {{ date: string }} */ day) => storedOn(usage, day.date) }] : []),
    ],
    rows: [...days].reverse(),
    isDense: true,
  });
  const source = isWhole ? "By first receipt." : "By the time of the event, of one app. The quota is of all apps.";
  const data = { period: usage.period, days, limit, projected };
  const legend = h("p", { class: "meta legend" }, chartLegend(data), source);
  return [
    h("div", { class: "stack-small" }, legend, usageChart(data, view.signal)),
    h("details", { class: "as-table" }, h("summary", {}, "The same as a table"), h("div", { class: "stack-small" }, h("div", {}, csv), rows)),
  ];
}

/**
 * @param {Usage} usage
 * @param {string} date
 */
function storedOn(usage, date) {
  return formatBytes(usage.daily.find((day) => day.date === date)?.storage_bytes ?? 0);
}
