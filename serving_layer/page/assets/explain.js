// Why a number is what it is: the batch's part and the deltas since, side by side, then every delta with its place of origin.
import { fill, h, table } from "./dom.js";
import { added, counted, field, grouped, kind, label, moment, origin, shown, signed } from "./format.js";

const FIRST_DELTAS = 10;

// Fills `body` from an answer of GET …/explain; `chosen` is the metric whose formula is shown first, or null.
export function drawExplain(body, answer, chosen) {
  const { batch, deltas, deltas_left_out: leftOut, provenance } = answer;
  fill(body,
    h("p", {}, summary(batch, deltas.length + leftOut, provenance)),
    h("h3", {}, "Metrics"), metrics(answer, chosen),
    h("h3", {}, "What is added up"), measures(answer),
    h("h3", {}, "Every change since the batch"), deltaList(deltas, batch),
    leftOut ? h("p", { class: "note" }, `${counted(leftOut, "older change")} ${leftOut === 1 ? "is" : "are"} in the sums, and not in this list.`) : null);
}

function summary(batch, count, { log }) {
  const complete = ` The answer is complete for every record below offset ${log.next_offset} of partition ${log.partition}.`;
  if (batch === null) return `No batch has been published yet, so all of it comes from ${counted(count, "delta")}.${complete}`;
  const cut = batch.info.cut[log.partition];
  const about = `Batch ${batch.info.id}, published ${moment(batch.info.published_at)}, absorbed the records below offset ${cut ?? 0} of partition ${log.partition}`;
  const held = batch.included ? "" : "; it holds nothing of this customer";
  return `${about}${held}. ${count ? `${counted(count, "delta")} came since and ${count === 1 ? "is" : "are"} added.` : "Nothing came since."}${complete}`;
}

function metrics({ metrics: now, batch, formulas }, chosen) {
  const before = batch?.metrics ?? null;
  const differs = ({ metric }) => before !== null && before[metric] !== now[metric];
  const row = (entry) => {
    const { metric, unit, definition, formula } = entry;
    const kept = before === null ? "–" : shown(before[metric], unit);
    const name = { text: label(metric), class: metric === chosen ? "chosen" : "" };
    return [name, kept, { text: shown(now[metric], unit), class: differs(entry) ? "differs" : "" }, formula || definition];
  };
  const heads = ["Metric", batch ? `Batch ${batch.info.id} alone` : "No batch", "Now, with deltas", "Formula"];
  const first = formulas.filter((each) => each.metric === chosen || differs(each));
  const rest = formulas.filter((each) => !first.includes(each));
  return [
    first.length ? table("Metrics that deltas moved, and the chosen one", heads, first.map(row)) : h("p", { class: "empty" }, "No metric differs from the batch's."),
    rest.length ? h("details", { "data-key": "other-metrics" }, h("summary", {}, `The other ${counted(rest.length, "metric")}`), table("The other metrics", heads, rest.map(row))) : null,
  ];
}

function measures({ measures: all, batch, as_of: day }) {
  const zero = (text) => text === null || Number(text) === 0;
  const some = all.filter((each) => !zero(each.batch) || !zero(each.deltas) || !zero(each.sum));
  if (!some.length) return h("p", { class: "empty" }, "Nothing of this customer counts.");
  const rows = some.map(({ measure, unit, batch: part, deltas, sum }) => [
    label(measure), part === null ? "–" : shown(part, unit),
    { text: zero(deltas) ? "–" : signed(shown(deltas, unit)), class: zero(deltas) ? "" : "differs" }, shown(sum, unit),
  ]);
  return table("Measures: the batch's part, the deltas' part and their sum", [`Measure, up to ${day}`, batch ? `Batch ${batch.info.id}` : "No batch", "+ deltas", "= sum"], rows, { class: "numbers" });
}

function deltaList(deltas, batch) {
  if (!deltas.length) return h("p", { class: "empty" }, batch ? "Nothing has come since the batch: the numbers are the batch's." : "There is no delta.");
  const newest = deltas.toReversed();
  return [
    h("ol", { class: "deltas" }, newest.slice(0, FIRST_DELTAS).map(delta)),
    newest.length > FIRST_DELTAS
      ? h("details", { "data-key": "older-deltas" }, h("summary", {}, `${grouped(newest.length - FIRST_DELTAS)} older`), h("ol", { class: "deltas" }, newest.slice(FIRST_DELTAS).map(delta)))
      : null,
  ];
}

function delta({ position, recorded_at: at, kind: of, entity_id: id, happened, changes, contribution, origin: from }) {
  const title = happened === "erased" ? "customer erased" : `${kind(of)} ${id} ${happened}`;
  const text = Object.entries(changes ?? {}).filter(([, [was, now]]) => was !== null || now !== null).map(([name, [was, now]]) => {
    const words = name.replace(/_seconds$/, "").replaceAll("_", " ");
    const [before, after] = [field(name, was), field(name, now)];
    return before === null ? `${words} ${after}` : `${words} ${before} → ${after ?? "none"}`;
  });
  return h("li", { class: happened.replace(" ", "-") },
    h("strong", {}, title), text.length ? h("span", { class: "detail" }, text.join(", ")) : null,
    h("span", { class: "added" }, contribution.length ? added(contribution).join("; ") : "adds nothing to the sums"),
    h("span", { class: "origin" }, [`recorded ${moment(at)}`, `position ${position}`, origin(from)].filter(Boolean).join(" · ")));
}
