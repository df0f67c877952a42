// The choice of the chart's range and steps. It ends on the answer's day; "all" begins with the first order.
import { h } from "./dom.js";

const DAY = 86400000;
const RANGES = { 90: "90 days", 365: "1 year", 1095: "3 years", all: "Since the first order" };
const GRAINS = { auto: "fitting steps", day: "days", week: "weeks", month: "months" };

export class Course {
  // `onChange` is called with the parameters of GET …/history.
  constructor(onChange) {
    this.onChange = onChange;
    const select = (title, options, chosen) => {
      const made = h("select", { onchange: () => this.ask() }, Object.entries(options).map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
      return [made, h("label", {}, title, made)];
    };
    const [range, rangeLabel] = select("Range ", RANGES, "all");
    const [grain, grainLabel] = select("in ", GRAINS, "auto");
    Object.assign(this, { range, grain, element: h("div", { class: "choices" }, rangeLabel, grainLabel) });
  }

  show(answer) {
    this.to = answer.as_of;
    this.first = answer.metrics.first_order_date;
    return this.ask();
  }

  ask() {
    const end = Date.parse(this.to);
    const first = this.first === null ? end - 90 * DAY : Date.parse(this.first);
    const start = this.range.value === "all" ? first : end - Number(this.range.value) * DAY;
    const days = (end - start) / DAY;
    const fitting = days <= 62 ? "day" : days <= 400 ? "week" : "month";
    const grain = this.grain.value === "auto" ? fitting : this.grain.value;
    return this.onChange({ from: new Date(Math.min(start, end)).toISOString().slice(0, 10), to: this.to, grain });
  }
}
