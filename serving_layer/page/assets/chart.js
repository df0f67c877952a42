// A chart of a customer's days, drawn by ourselves: what the batch holds, what the deltas add, and where the batch was published.
import { fill, h, svg, table } from "./dom.js";
import { cents, grouped, label, money } from "./format.js";

const PANELS = [
  { name: "revenue", unit: "money", height: 150 },
  { name: "orders", unit: "count", height: 64 },
  { name: "tickets", unit: "count", height: 48 },
];
const MEASURES = { revenue: "revenue", order_count: "orders", tickets: "tickets" };
const LEFT = 62, RIGHT = 8, TITLE = 20, FOOT = 24;

// Draws `history` (of GET …/history) into `body`; `answer` is that of GET …/explain.
export function drawChart(body, history, answer) {
  const steps = stepsOf(history, answer.deltas);
  const batch = answer.batch?.info ?? null;
  const drawing = h("div", { class: "drawing" });
  const readout = h("p", { class: "readout" });
  const range = h("input", {
    type: "range", class: "scrubber", min: 0, max: Math.max(0, steps.length - 1), value: steps.length - 1, "data-key": "scrubber",
    "aria-label": "Step of the chart", oninput: () => show(),
  });
  const show = () => {
    const text = told(steps[range.value], history.grain);
    readout.textContent = text;
    range.setAttribute("aria-valuetext", text);
    drawing.querySelector(".cursor")?.setAttribute("transform", `translate(${geometry(drawing, steps).x(Number(range.value) + 0.5)} 0)`);
  };
  const draw = () => {
    const at = geometry(drawing, steps);
    fill(drawing, picture(steps, at, history, batch));
    drawing.firstChild.addEventListener("pointermove", (event) => {
      range.value = Math.floor((event.offsetX - LEFT) / at.step);
      show();
    });
    show();
  };
  const partly = answer.deltas_left_out ? h("p", { class: "note" }, "The shares by deltas are of the newest changes only.") : null;
  fill(body, legend(batch), partly, drawing, range, readout, asTable(steps, history.grain));
  let drawn = null;
  const resized = () => drawing.clientWidth !== drawn && requestAnimationFrame(draw, (drawn = drawing.clientWidth));
  new ResizeObserver(resized).observe(drawing);
}

// Each step with its total and what deltas added to it, by panel; money in cents.
export function stepsOf(history, deltas) {
  const steps = history.series.map((each) => ({
    start: each.start,
    total: Object.fromEntries(PANELS.map(({ name, unit }) => [name, unit === "money" ? cents(each[name]) : BigInt(each[name])])),
    added: Object.fromEntries(PANELS.map(({ name }) => [name, 0n])),
  }));
  for (const { measure, day, amount } of deltas.flatMap((delta) => delta.contribution)) {
    const name = MEASURES[measure];
    const step = name && day <= history.to ? steps.findLast((each) => each.start <= day) : undefined;
    if (step) step.added[name] += name === "revenue" ? cents(amount) : BigInt(amount);
  }
  return steps;
}

function geometry(drawing, steps) {
  const width = Math.max(240, drawing.clientWidth);
  const step = (width - LEFT - RIGHT) / Math.max(1, steps.length);
  return { width, step, x: (index) => LEFT + index * step };
}

function picture(steps, at, history, batch) {
  const height = PANELS.reduce((sum, panel) => sum + panel.height + TITLE, FOOT);
  let top = 0;
  const panels = PANELS.map((panel) => {
    const drawn = drawPanel(panel, steps, at, top + TITLE);
    top += panel.height + TITLE;
    return drawn;
  });
  return svg("svg", { width: at.width, height, viewBox: `0 0 ${at.width} ${height}`, role: "img",
    "aria-label": `Revenue, orders and tickets by ${history.grain}, from ${history.from} to ${history.to}. The same is in the table below.` },
    panels, days(steps, at, top), cutLine(steps, at, top, history, batch), svg("line", { class: "cursor", y1: TITLE, y2: top }));
}

function drawPanel({ name, unit, height }, steps, at, top) {
  const highest = steps.reduce((most, { total, added }) => max(most, total[name], total[name] - added[name]), 1n);
  const y = (value) => top + height - (height * Number(value)) / Number(highest);
  const paths = { batch: "", deltas: "", taken: "" };
  steps.forEach(({ total, added }, index) => {
    const batch = total[name] - added[name];
    const bar = (from, to) => (from === to ? "" : `M${at.x(index + 0.1)} ${y(from)}h${at.step * 0.8}V${y(to)}h${-at.step * 0.8}z`);
    paths.batch += bar(0n, batch < total[name] ? batch : total[name]);
    paths[added[name] > 0n ? "deltas" : "taken"] += bar(batch, total[name]);
  });
  const text = (value) => grouped(unit === "money" ? money(value) : value);
  return svg("g", {},
    svg("text", { class: "panel-title", x: 0, y: top - 6 }, label(name)),
    svg("text", { class: "tick", x: LEFT - 6, y: top + 8, "text-anchor": "end" }, text(highest)),
    svg("text", { class: "tick", x: LEFT - 6, y: top + height, "text-anchor": "end" }, "0"),
    svg("line", { class: "axis", x1: LEFT, x2: at.width - RIGHT, y1: top + height, y2: top + height }),
    Object.entries(paths).map(([kind, d]) => (d ? svg("path", { class: `bar ${kind}`, d }) : null)));
}

function days(steps, at, top) {
  const every = Math.max(1, Math.ceil(steps.length / Math.max(2, Math.floor(at.width / 110))));
  return steps.map(({ start }, index) => (index % every ? null : svg("text", { class: "tick", x: at.x(index), y: top + 16 }, start)));
}

// The day of publication, drawn where it lies; a day after the last step is drawn at the right end, and says so.
function cutLine(steps, at, top, history, batch) {
  if (!batch || !steps.length) return null;
  const day = batch.published_at.slice(0, 10);
  const beyond = day > history.to;
  const index = beyond ? steps.length : steps.findLastIndex((each) => each.start <= day) + 0.5;
  if (index < 0.5) return null;
  const text = `batch ${batch.id} published ${day}${beyond ? " →" : ""}`;
  const right = index > steps.length / 2;
  return svg("g", { class: "cut" },
    svg("line", { x1: at.x(index), x2: at.x(index), y1: 4, y2: top }),
    svg("text", { x: at.x(index) + (right ? -6 : 6), y: 12, "text-anchor": right ? "end" : "start" }, text));
}

function legend(batch) {
  const entry = (kind, text) => h("li", { class: kind }, text);
  return h("ul", { class: "legend" }, batch && entry("batch", `in batch ${batch.id}`),
    entry("deltas", batch ? "came after its cut, by deltas" : "by deltas: there is no batch yet"), batch && entry("taken", "taken away after its cut"));
}

function told(step, grain) {
  if (!step) return "There is nothing in this range.";
  const parts = PANELS.map(({ name, unit }) => {
    const text = (value) => grouped(unit === "money" ? money(value) : value);
    const share = step.added[name] ? ` (${step.added[name] > 0n ? "+" : ""}${text(step.added[name])} by deltas)` : "";
    return `${name} ${text(step.total[name])}${share}`;
  });
  return `${grain === "day" ? "" : `${label(grain)} from `}${step.start}: ${parts.join(", ")}`;
}

function asTable(steps, grain) {
  const text = ({ name, unit }, value) => grouped(unit === "money" ? money(value) : value);
  const body = h("div");
  const heads = [`${label(grain)} from`, ...PANELS.flatMap(({ name }) => [label(name), "by deltas"])];
  const rows = () => steps.map((step) => [step.start, ...PANELS.flatMap((panel) => [text(panel, step.total[panel.name]), text(panel, step.added[panel.name])])]);
  const opened = ({ target }) => target.open && fill(body, table("The chart as a table", heads, rows(), { class: "numbers" }));
  return h("details", { "data-key": "chart-table", ontoggle: opened }, h("summary", {}, "The same as a table"), body);
}

function max(...values) {
  return values.reduce((most, each) => (each > most ? each : most));
}
