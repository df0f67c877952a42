// How far each layer is behind the log, and whether answers are exact now: always in sight, read every few seconds.
import { ask, sentence } from "./api.js";
import { card, fill, h, pill, reasons, table } from "./dom.js";
import { failed } from "./failed.js";
import { grouped, moment, span } from "./format.js";

const EVERY = 5000;

export class Layers {
  // `headline` is the place of the status that is always in sight. `onBatch` is called when another batch is current,
  // `onRead` after each reading.
  constructor(headline, onBatch, onRead) {
    Object.assign(this, { headline, onBatch, onRead, batchId: undefined, ...card("layers", "How far the layers are") });
    document.addEventListener("visibilitychange", () => !document.hidden && this.load());
  }

  // Reads the status, and again after a while, as long as somebody sees the page.
  async load() {
    clearTimeout(this.timer);
    try {
      this.draw(await ask("v1/status"));
      this.onRead();
    } catch (error) {
      this.head("unknown", sentence(error));
      failed(this.body, error, "The state of the layers");
    }
    if (!document.hidden) this.timer = setTimeout(() => this.load(), EVERY);
  }

  // Changes the head only when it says something else: screen readers are told of each change.
  head(status, because) {
    const said = `${status} ${because}`;
    if (said !== this.said) fill(this.headline, pill(status), h("span", { class: "because" }, because));
    this.said = said;
  }

  draw({ batch, speed, status, reasons: list }) {
    this.head(status, list.join("; ") || "Both layers are up to date.");
    const rows = speed.map((each) => [`${each.partition}`, grouped(each.next_offset ?? 0), count(each.behind_records), span(each.behind_seconds), each.silent_seconds === null ? "never" : `${span(each.silent_seconds)} ago`]);
    const heads = ["Partition", "Next offset", "Behind", "Time behind", "Heartbeat"];
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
