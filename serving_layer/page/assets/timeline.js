// What is known of a customer as it stands now, newest first: orders, refunds, tickets, campaigns, the profile, and alerts.
import { ask, customer, sentence } from "./api.js";
import { alert } from "./describe.js";
import { fill, h } from "./dom.js";
import { fields, kind, moment, origin } from "./format.js";

const PAGE = 12;
const FILTERS = {
  all: "All", order: "Orders", refund: "Refunds", support_ticket: "Tickets", marketing_event: "Campaigns", customer_profile: "Profile", alert: "Alerts",
};

export class Timeline {
  constructor(body) {
    this.chosen = "all";
    this.list = h("ol", { class: "timeline" });
    this.more = h("button", { type: "button", onclick: () => this.append() }, "Show older");
    this.unsorted = h("p", { class: "note", hidden: true }, "So much is known of this customer that it comes by kind and id: dates are in order only within what is shown.");
    this.error = h("p", { class: "problem", role: "alert", hidden: true });
    const choices = Object.entries(FILTERS).map(([value, text]) =>
      h("label", {}, h("input", { type: "radio", name: "kind", value, checked: value === this.chosen, onchange: () => this.choose(value) }), text));
    fill(body, h("fieldset", { class: "choices" }, h("legend", { class: "hidden" }, "What the timeline shows"), choices), this.error, this.unsorted, this.list, this.more);
  }

  // Reads the newest part anew, for an answer of GET …/explain: its deltas know when their records arrived.
  async show(answer) {
    const { batch, provenance, deltas } = answer;
    this.id = answer.customer_id;
    this.batchId = batch?.info.id;
    this.cut = batch === null ? null : (batch.info.cut[provenance.log.partition] ?? 0);
    this.arrived = new Map(deltas.map((each) => [each.position, each.recorded_at]));
    await this.choose(this.chosen);
  }

  async choose(kind) {
    this.chosen = kind;
    this.items = [];
    this.cursors = { facts: kind === "alert" ? null : undefined, alerts: kind === "all" || kind === "alert" ? undefined : null };
    await this.append();
  }

  // Reads the next part of what has one: a cursor is undefined before the first part, and null after the last one.
  async append() {
    const turn = (this.turn = {});
    try {
      const facts = await this.next("facts", { kind: this.chosen === "all" ? null : this.chosen });
      const alerts = await this.next("alerts", {});
      if (turn !== this.turn) return;
      this.items.push(...facts, ...alerts);
      this.error.hidden = true;
    } catch (error) {
      if (turn !== this.turn) return;
      this.error.textContent = `The timeline cannot be read: ${sentence(error)}`;
      this.error.hidden = false;
    }
    this.draw();
  }

  async next(what, parameters) {
    const cursor = this.cursors[what];
    if (cursor === null) return [];
    const found = await ask(customer(this.id, what), { ...parameters, limit: PAGE, cursor });
    this.cursors[what] = found.next_cursor;
    if (what === "facts") this.unsorted.hidden = found.order !== "by_kind_and_id";
    return found.items.map(what === "facts" ? (each) => ({ ...each, at: each.happened_at }) : (each) => ({ ...each, kind: "alert" }));
  }

  draw() {
    const items = this.items.toSorted((a, b) => day(b.at ?? b.updated_at).localeCompare(day(a.at ?? a.updated_at)));
    const empty = this.error.hidden ? h("li", { class: "empty" }, this.chosen === "all" ? "Nothing is known of this customer." : "There is nothing of this kind.") : null;
    fill(this.list, items.length ? items.map((each) => (each.kind === "alert" ? alerted(each) : this.fact(each))) : empty);
    this.more.hidden = this.cursors.facts === null && this.cursors.alerts === null;
  }

  fact({ kind: of, entity_id: id, happened_at: at, updated_at: updated, retracted, changed, payload, before, position, origin: from }) {
    const offset = Number(position?.split(":")[1]);
    const after = this.cut !== null && offset >= this.cut;
    const marks = [
      retracted ? h("span", { class: "mark retracted" }, "taken back") : null,
      changed && !retracted ? h("span", { class: "mark corrected" }, "corrected") : null,
      after ? h("span", { class: "mark after" }, `after batch ${this.batchId}`) : null,
    ];
    const was = before && fields(before) !== fields(payload) ? h("span", { class: "detail" }, `before: ${fields(before, at)}`) : null;
    const arrived = this.arrived.get(position);
    const told = [arrived && `arrived ${moment(arrived)}`, position && `position ${position}`, updated && updated !== at ? `as of ${moment(updated)}` : null, origin(from)];
    return h("li", { class: `${of}${retracted ? " retracted" : ""}` },
      h("span", { class: "day" }, at ? moment(at) : "no date"),
      h("span", { class: "what" }, h("strong", {}, `${kind(of)} ${id}`), marks,
        h("span", { class: "detail" }, retracted ? "It counts for nothing, as if it had never been." : fields(payload, at) || "no details"), was,
        h("span", { class: "origin" }, told.filter(Boolean).join(" · "))));
  }
}

function alerted(found) {
  const { title, details } = alert(found);
  return h("li", { class: "alert" }, h("span", { class: "day" }, moment(found.at)),
    h("span", { class: "what" }, h("strong", {}, title), details.map((each) => h("span", { class: "detail" }, each)),
      h("span", { class: "origin" }, `position ${found.position}`)));
}

function day(text) {
  return text ?? "";
}
