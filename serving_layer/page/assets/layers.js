// How far each layer is behind the log, and whether answers are exact now: always in sight, read every few seconds.
import { ask } from "./api.js";
import { card, fill, h, pill, reasons, table } from "./dom.js";
import { grouped, moment, span } from "./format.js";

const EVERY = 5000;

export class Layers {
  // `headline` is the place of the status that is always in sight. `onBatch` is called when another batch is current.
  constructor(headline, onBatch) {
    Object.assign(this, { headline, onBatch, batchId: undefined, ...card("layers", "How far the layers are") });
    document.addEventListener("visibilitychange", () => !document.hidden && this.load());
  }

  // Reads the status, and again after a while, as long as somebody sees the page.
  async load() {
    clearTimeout(this.timer);
    try {
      this.draw(await ask("v1/status"));
    } catch (error) {
      fill(this.headline, pill("unknown"), h("span", { class: "because" }, error.message));
      fill(this.body, h("p", { class: "problem" }, `The state of the layers cannot be read: ${error.message}`), reasons(error.reasons ?? []));
    }
    if (!document.hidden) this.timer = setTimeout(() => this.load(), EVERY);
  }

  draw({ batch, speed, status, reasons: list }) {
    const exact = status === "exact";
    const text = JSON.stringify([status, list]);
    if (text !== this.shown) fill(this.headline, pill(status), h("span", { class: "because" }, exact ? "Both layers are up to date." : list.join("; ")));
    this.shown = text;
    const rows = speed.map((each) => [`${each.partition}`, grouped(each.next_offset ?? 0), count(each.behind_records), span(each.behind_seconds), span(each.silent_seconds)]);
    const heads = ["Partition", "Next offset", "Records behind", "Behind", "Last heartbeat"];
    fill(this.body, reasons(list), h("h3", {}, "Batch layer"), h("p", {}, about(batch)), h("h3", {}, "Speed layer"),
      rows.length ? table("The speed layer by partition", heads, rows, { class: "numbers" }) : h("p", { class: "empty" }, "The speed layer never ran."));
    const id = batch?.info?.id ?? null;
    if (this.batchId !== undefined && this.batchId !== id) this.onBatch(id);
    this.batchId = id;
  }
}

function about(batch) {
  if (!batch?.info) return "No batch has been published yet: answers stand on the speed layer alone.";
  return `Batch ${batch.info.id} was published ${span(batch.age_seconds)} ago, ${moment(batch.info.published_at)}. What came since is added from the speed layer.`;
}

function count(value) {
  return value === null || value === undefined ? "–" : grouped(value);
}
