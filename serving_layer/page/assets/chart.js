// A chart of a customer's days, drawn by ourselves: what the batch holds, what the deltas add, and where the batch was published.
import { fill, h, svg } from "./dom.js";
import { label } from "./format.js";
import { PANELS, asTable, shownIn, stepsOf, told } from "./steps.js";

const DAY = 86400000;
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
      range.value = Math.floor((event.clientX - drawing.getBoundingClientRect().left - LEFT) / at.step);
      show();
    });
    show();
  };
  const partly = answer.deltas_left_out ? h("p", { class: "note" }, "The shares by deltas are of the newest changes only.") : null;
  fill(body, legend(batch), partly, drawing, range, readout, asTable(steps, history.grain));
  let width = null;
  new ResizeObserver(() => {
    if (drawing.clientWidth === width) return; // its height changes when it is drawn
    width = drawing.clientWidth;
    requestAnimationFrame(draw);
  }).observe(drawing);
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

function drawPanel(panel, steps, at, top) {
  const { name, height } = panel;
  const highest = steps.reduce((most, { total, added }) => max(most, total[name], total[name] - added[name]), 0n);
  const y = (value) => top + height - (height * Number(value)) / Math.max(1, Number(highest));
  const paths = { batch: "", deltas: "", taken: "" };
  steps.forEach(({ total, added }, index) => {
    const batch = total[name] - added[name];
    const bar = (from, to) => (from === to ? "" : `M${at.x(index + 0.1)} ${y(from)}h${at.step * 0.8}V${y(to)}h${-at.step * 0.8}z`);
    paths.batch += bar(0n, batch < total[name] ? batch : total[name]);
    paths[added[name] > 0n ? "deltas" : "taken"] += bar(batch, total[name]);
  });
  return svg("g", {},
    svg("text", { class: "panel-title", x: 0, y: top - 6 }, label(name)),
    highest ? svg("text", { class: "tick", x: LEFT - 6, y: top + 8, "text-anchor": "end" }, shownIn(panel, highest)) : null,
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
  if (day < steps[0].start) return null;
  const beyond = day > history.to;
  const index = beyond ? steps.length : placeOf(day, steps, history);
  const text = `batch ${batch.id} published ${day}${beyond ? " →" : ""}`;
  const right = index > steps.length / 2;
  return svg("g", { class: "cut" },
    svg("line", { x1: at.x(index), x2: at.x(index), y1: 4, y2: top }),
    svg("text", { x: at.x(index) + (right ? -6 : 6), y: 12, "text-anchor": right ? "end" : "start" }, text));
}

// Where a day of the range lies, in steps from the left.
function placeOf(day, steps, { to }) {
  const index = steps.findLastIndex((each) => each.start <= day);
  const begin = Date.parse(steps[index].start);
  const end = index + 1 < steps.length ? Date.parse(steps[index + 1].start) : Date.parse(to) + DAY;
  return index + (Date.parse(day) - begin) / (end - begin);
}

function legend(batch) {
  const entry = (kind, text) => h("li", { class: kind }, text);
  return h("ul", { class: "legend" }, batch && entry("batch", `in batch ${batch.id}`),
    entry("deltas", batch ? "came after its cut, by deltas" : "by deltas: there is no batch yet"), batch && entry("taken", "taken away after its cut"));
}

function max(...values) {
  return values.reduce((most, each) => (each > most ? each : most));
}
