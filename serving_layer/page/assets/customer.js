// One customer: who it is, its metrics, their course over time, why they are what they are, and what happened.
import { Unreachable, ask, customer, sentence } from "./api.js";
import { drawChart } from "./chart.js";
import { card, fill, h, pill, reasons, speak } from "./dom.js";
import { drawExplain } from "./explain.js";
import { failed } from "./failed.js";
import { label, shown } from "./format.js";
import { Course } from "./range.js";
import { drawTiles } from "./tiles.js";
import { Timeline } from "./timeline.js";
import { drawWho } from "./who.js";

const SETTLE = 400;

export class CustomerView {
  // `onDay` is called with the day that is chosen, or null for today. `live` is the card of the ticker.
  constructor(id, asOf, catalogue, live, onDay) {
    Object.assign(this, { id, asOf, catalogue, answer: null, chosen: null });
    this.day = h("input", { type: "date", id: "as-of", value: asOf ?? "", onchange: () => onDay(this.day.value || null) });
    this.status = h("span", { class: "status" });
    this.why = h("div");
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.cards = {
      who: card("who", "Who it is"),
      tiles: card("numbers", "Metrics", "Point at one, or move the focus to it, for its definition; press it for the way it was computed."),
      chart: card("course", "Over time"),
      explain: card("why", "Why the numbers are what they are"),
      timeline: card("happened", "What happened", "As it stands now, newest first. Days are UTC."),
    };
    this.course = new Course((parameters) => this.drawCourse(parameters));
    this.cards.chart.body.before(this.course.element);
    this.timeline = new Timeline(this.cards.timeline.body);
    this.rest = h("div", { class: "cards", hidden: true }, Object.values(this.cards).map((each) => each.section));
    const today = h("button", { type: "button", onclick: () => onDay(null) }, "Today");
    const jump = ({ section }) => h("li", {}, h("button", { type: "button", class: "jump", onclick: () => this.jump(section) }, section.querySelector("h2").textContent));
    this.jumps = h("ul", { class: "jumps", "aria-label": "Parts of this page", hidden: true }, [...Object.values(this.cards), live].map(jump));
    this.element = h("div", {},
      h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, "Customer ", h("span", { class: "id" }, id)), this.status,
        h("div", { class: "day" }, h("label", { for: "as-of" }, "As of (UTC day)"), this.day, asOf ? today : null)),
      asOf ? h("p", { class: "note" }, `Days after ${asOf} are left out. It is told with what is known today, not as it was known on that day.`) : null,
      this.why, this.problem, this.jumps, this.rest);
  }

  // Reads everything anew; what is shown stays until the new answer is there.
  async load() {
    const turn = (this.turn = {});
    try {
      const answer = await ask(customer(this.id, "explain"), { as_of: this.asOf });
      if (turn !== this.turn) return;
      this.problem.hidden = true;
      this.draw(answer, this.answer);
      await Promise.all([this.course.show(answer), this.timeline.show(answer)]);
    } catch (error) {
      this.fail(error);
    }
  }

  // Called for each change of this customer: several within a moment lead to one reading.
  changed() {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.load(), SETTLE);
  }

  draw(answer, before) {
    this.answer = answer;
    this.before = before?.metrics ?? null;
    const { status, reasons: list } = answer.provenance;
    fill(this.status, pill(status));
    fill(this.why, reasons(list));
    this.rest.hidden = this.jumps.hidden = false;
    drawWho(this.cards.who.body, answer);
    this.drawNumbers();
    const moved = Object.keys(answer.metrics).filter((name) => this.before && this.before[name] !== answer.metrics[name]);
    if (moved.length) speak(`Changed: ${moved.map((name) => `${label(name)} is ${shown(answer.metrics[name], this.catalogue.get(name)?.unit)}`).join(", ")}`);
  }

  drawNumbers() {
    const { metrics, batch } = this.answer;
    drawTiles(this.cards.tiles.body, metrics, {
      catalogue: this.catalogue, batch: batch?.metrics ?? null, batchId: batch?.info.id, before: this.before,
      onPress: (name) => this.explain(name),
    });
    drawExplain(this.cards.explain.body, this.answer, this.chosen);
  }

  explain(name) {
    this.chosen = name;
    drawExplain(this.cards.explain.body, this.answer, name);
    this.jump(this.cards.explain.section);
  }

  jump(section) {
    section.scrollIntoView();
    section.tabIndex = -1;
    section.focus({ preventScroll: true });
  }

  async drawCourse(parameters) {
    const { body } = this.cards.chart;
    try {
      const history = await ask(customer(this.id, "history"), parameters);
      drawChart(body, history, this.answer);
    } catch (error) {
      failed(body, error, "The chart");
    }
  }

  // While the API does not answer at all, what was read before stays: the head of the page says it.
  fail(error) {
    if (error instanceof Unreachable && this.answer) return;
    const unknown = error.status === 404;
    this.problem.hidden = false;
    this.rest.hidden ||= unknown;
    this.jumps.hidden = this.rest.hidden;
    fill(this.status, error.body?.provenance && pill(error.body.provenance.status));
    fill(this.why, reasons(error.body?.provenance?.reasons ?? error.reasons ?? []));
    const hint = "Check the spelling: upper and lower case count. A customer that was erased is unknown, too.";
    this.problem.textContent = unknown ? `Nothing is known of a customer ${this.id}. ${hint}` : sentence(error);
  }
}
