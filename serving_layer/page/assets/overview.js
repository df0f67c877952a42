// The overview: leaders and customers at risk of the last batch, the batches with their checks, and how far each layer is.
import { address } from "./address.js";
import { ask } from "./api.js";
import { drawBatches } from "./batches.js";
import { card, fill, h, table } from "./dom.js";
import { failed } from "./failed.js";
import { NONE, label, shown } from "./format.js";

const MOST = 20;

export class Overview {
  // Customers are opened as of `asOf`, or of today if it is null.
  constructor(catalogue, asOf) {
    Object.assign(this, { catalogue, asOf });
    this.leaders = card("leaders", "Leaders");
    this.risky = card("risky", "Customers at risk");
    this.batches = card("batches", "Batches", "Each batch recomputed every customer from the log. It is published only after its checks.");
    const option = ({ name }) => h("option", { value: name }, label(name));
    const ranked = [...catalogue.values()].filter((each) => each.rankable);
    this.metric = h("select", { onchange: () => this.drawLeaders() }, ranked.map(option));
    const text = (other, more) => h("input", { ...more, autocomplete: "off", onchange: () => {
      this[other].value = ""; // a ranking is of a segment or of a country
      this.drawLeaders();
    } });
    this.segment = text("country", { maxlength: 64, size: 10 });
    this.country = text("segment", { maxlength: 2, size: 3, placeholder: "GB" });
    this.leaders.body.before(h("div", { class: "choices" }, h("label", {}, "By ", this.metric), h("label", {}, "of segment ", this.segment), h("label", {}, "or country ", this.country)));
    this.element = h("div", {}, h("h1", { tabindex: "-1" }, "Overview"),
      asOf && h("p", { class: "note" }, `Customers are opened as of ${asOf}. `, h("a", { href: address(null, null) }, "Open them as of today")),
      h("div", { class: "cards" }, h("div", { class: "pair" }, this.leaders.section, this.risky.section), this.batches.section));
  }

  // Reads everything anew.
  async load() {
    await Promise.all([this.drawLeaders(), this.drawRisky(), drawBatches(this.batches.body)]);
  }

  // Shows a batch that runs, step by step.
  tick() {
    return drawBatches(this.batches.body);
  }

  drawLeaders() {
    const parameters = { rank_by: this.metric.value, segment: this.segment.value.trim(), country: this.country.value.trim().toUpperCase() };
    return this.list(this.leaders.body, this.metric.value, parameters, "Nobody is ranked by this choice.");
  }

  drawRisky() {
    return this.list(this.risky.body, "tickets_30d", { at_risk: true }, "No ranked customer was at risk on that day.");
  }

  async list(body, metric, parameters, none) {
    try {
      const { items, batch, as_of: day } = await ask("v1/customers", { ...parameters, limit: MOST });
      const unit = this.catalogue.get(metric)?.unit;
      const rows = items.map(({ customer_id: id, value, country, segment, at_risk: isAtRisk }) => [
        [h("a", { href: address(id, this.asOf) }, id), isAtRisk && !parameters.at_risk ? h("span", { class: "mark at-risk" }, "at risk") : null],
        { text: shown(value, unit), class: "number" }, country ?? NONE, segment ?? NONE,
      ]);
      fill(body, h("p", { class: "note" }, `From batch ${batch.id}, as of ${day}. What came after the batch is not in this list.`),
        items.length ? table(`Customers by ${label(metric)}`, ["Customer", { text: label(metric), class: "number" }, "Country", "Segment"], rows) : h("p", { class: "empty" }, none));
    } catch (error) {
      if (error.status === 404) return fill(body, h("p", { class: "empty" }, "There is no ranking yet: the first batch makes one."));
      failed(body, error, "The list");
    }
  }
}
