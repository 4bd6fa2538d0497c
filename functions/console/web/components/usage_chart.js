/** The month as two drawings: the sum of its events with quota and projection, and its days as bars. */

import { DAY_SECONDS, linesOf, timesOf } from "../chart_lines.js";
import { fill, h } from "../dom.js";
import { formatDayNumber, formatNumber, formatShare, formatShort, formatUtcDay } from "../format.js";
import { colorOf, onLook } from "../theme.js";

/** @typedef {import("../chart_lines.js").ChartData} ChartData */

const HEIGHTS = { sum: 220, days: 110 };
const BAR_PART = 0.6;
const AXIS_WIDTH = 56;

/**
 * Return the chart. Arrow keys move its day, which a line below the drawings says.
 * @param {ChartData} data
 * @param {AbortSignal} signal
 */
export function usageChart(data, signal) {
  const drawings = h("div", { class: "chart-drawings", "aria-hidden": "true" });
  const readout = h("p", { class: "meta chart-readout" });
  const slider = h(
    "div",
    { class: "chart", role: "slider", tabindex: "0", "aria-label": "Day of the month", "aria-valuemin": 1 },
    drawings,
    readout,
  );
  slider.setAttribute("aria-valuemax", String(data.days.length));
  const plots = /** @type {any[]} */ ([]);
  let at = data.days.length - 1;

  /**
   * Move to a day.
   * @param {number} index
   */
  function select(index) {
    at = Math.max(0, Math.min(data.days.length - 1, index));
    const text = describe(data, at);
    slider.setAttribute("aria-valuenow", String(at + 1));
    slider.setAttribute("aria-valuetext", text);
    fill(readout, text);
    for (const plot of plots) {
      plot.setCursor({ left: plot.valToPos(plot.data[0][at], "x"), top: 10 }, false);
    }
  }

  const moves = /** @type {Record<string, () => number>} */ ({
    ArrowLeft: () => at - 1,
    ArrowDown: () => at - 1,
    ArrowRight: () => at + 1,
    ArrowUp: () => at + 1,
    Home: () => 0,
    End: () => data.days.length - 1,
  });
  slider.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    select(move());
  });

  async function draw() {
    /** @type {any} */
    const loaded = await import("../vendor/uplot.js").catch(() => null);
    if (signal.aborted) return;
    if (!loaded) return fill(drawings, h("p", { class: "meta" }, "The chart could not be loaded. The table below has the same numbers."));
    const { default: Plot } = loaded;
    for (const plot of plots.splice(0)) plot.destroy();
    const width = drawings.clientWidth;
    const hover = (/** @type {any} */ plot) => {
      if (plot.cursor.idx !== null && plot.cursor.event && plot.cursor.idx < data.days.length) select(plot.cursor.idx);
    };
    for (const options of [sumOptions(data), dayOptions(Plot, data)]) {
      const size = { ...options, width, hooks: { setCursor: [hover] } };
      plots.push(new Plot(size, options.data, drawings));
    }
    select(at);
  }
  const observer = new ResizeObserver(() => {
    if (drawings.clientWidth && drawings.clientWidth !== plots[0]?.width) void draw();
  });
  observer.observe(drawings);
  onLook(() => void draw(), signal);
  signal.addEventListener("abort", () => observer.disconnect());
  select(at);
  return slider;
}

/**
 * Return a day in words.
 * @param {ChartData} data
 * @param {number} index
 */
export function describe({ days, limit }, index) {
  const day = days[index];
  if (!day) return "No day has passed yet.";
  const part = limit ? `, ${formatShare(day.sum / limit)} of the quota` : "";
  return `${formatUtcDay(day.date)}: ${formatNumber(day.events)} events, ${formatNumber(day.sum)} since the month began${part}`;
}

/** @param {ChartData} data */
function sumOptions(data) {
  const { times, sums, quota, pace, top } = linesOf(data);
  return {
    ...shared(HEIGHTS.sum, top * 1.05),
    data: [times, sums, times.map(() => quota), pace],
    series: [
      {},
      { stroke: colorOf("--accent-mark"), fill: colorOf("--accent-wash"), width: 2, points: { show: false } },
      { stroke: colorOf("--bad"), width: 1.5, points: { show: false } },
      { stroke: colorOf("--muted"), width: 1.5, dash: [6, 5], points: { show: false } },
    ],
  };
}

/**
 * Return the names of the lines that are drawn.
 * @param {ChartData} data
 */
export function chartLegend(data) {
  const { quota } = linesOf(data);
  const far = quota === null && data.limit !== null ? `The quota of ${formatNumber(data.limit)} is above the chart.` : null;
  return [
    h("span", { class: "key key-sum" }, "events"),
    quota !== null && h("span", { class: "key key-quota" }, "quota"),
    data.projected !== null && h("span", { class: "key key-projection" }, "at this pace"),
    far && h("span", {}, far),
  ];
}

/**
 * @param {any} Plot
 * @param {ChartData} data
 */
function dayOptions(Plot, { period, days }) {
  const times = timesOf(period);
  const counts = times.map((_, index) => days[index]?.events ?? null);
  const color = colorOf("--accent-mark");
  return {
    ...shared(HEIGHTS.days, Math.max(1, ...days.map((day) => day.events)) * 1.1),
    data: [times, counts],
    series: [{}, { fill: color, stroke: color, width: 0, paths: Plot.paths.bars({ size: [BAR_PART, 24] }), points: { show: false } }],
  };
}

/**
 * @param {number} height
 * @param {number} top the largest value of the drawing
 */
function shared(height, top) {
  const look = { stroke: colorOf("--muted"), grid: { stroke: colorOf("--border"), width: 1 }, ticks: { show: false } };
  return {
    height,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false, points: { show: false }, sync: { key: "month" } },
    scales: { x: { time: false }, y: { range: [0, top] } },
    axes: [
      { ...look, grid: { show: false }, incrs: [1, 2, 5, 10].map((days) => days * DAY_SECONDS), values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map(formatDayNumber) },
      { ...look, size: AXIS_WIDTH, values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map(formatShort) },
    ],
  };
}
