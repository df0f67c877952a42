// The steps of a chart in numbers and words: totals, what deltas added to them, a sentence, and a table.
import { fill, h, table } from "./dom.js";
import { cents, grouped, label, money } from "./format.js";

export const PANELS = [
  { name: "revenue", unit: "money", height: 150 },
  { name: "orders", unit: "count", height: 64 },
  { name: "tickets", unit: "count", height: 48 },
];
const MEASURES = { revenue: "revenue", order_count: "orders", tickets: "tickets" };

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

// Returns a panel's value as people read it; money is in cents.
export function shownIn({ unit }, value) {
  return grouped(unit === "money" ? money(value) : value);
}

// Returns a step as a sentence.
export function told(step, grain) {
  if (!step) return "There is nothing in this range.";
  const parts = PANELS.map((panel) => {
    const { [panel.name]: total } = step.total, { [panel.name]: added } = step.added;
    const share = added ? ` (${added > 0n ? "+" : ""}${shownIn(panel, added)} by deltas)` : "";
    return `${panel.name} ${shownIn(panel, total)}${share}`;
  });
  return `${grain === "day" ? "" : `${label(grain)} from `}${step.start}: ${parts.join(", ")}`;
}

// Returns the same as a table, which is made when it is opened.
export function asTable(steps, grain) {
  const body = h("div");
  const heads = [`${label(grain)} from`, ...PANELS.flatMap(({ name }) => [label(name), "by deltas"])];
  const rows = () => steps.map((step) => [step.start, ...PANELS.flatMap((panel) => [shownIn(panel, step.total[panel.name]), shownIn(panel, step.added[panel.name])])]);
  const opened = ({ target }) => target.open && fill(body, table("The chart as a table", heads, rows(), { class: "numbers" }));
  return h("details", { "data-key": "chart-table", ontoggle: opened }, h("summary", {}, "The same as a table"), body);
}
