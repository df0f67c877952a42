// The list of batches, each with what its gate and its audit found.
import { ask } from "./api.js";
import { fill, h, table } from "./dom.js";
import { failed } from "./failed.js";
import { counted, grouped, moment } from "./format.js";

const MOST = 10;

// Fills `body` with the newest batches.
export async function drawBatches(body) {
  try {
    const { items } = await ask("v1/batches", {});
    fill(body, items.length ? h("ol", { class: "batches" }, items.slice(0, MOST).map(batch)) : h("p", { class: "empty" }, "No batch has run yet. ", h("code", {}, "lambda360 batch run"), " runs one."));
  } catch (error) {
    failed(body, error, "The batches");
  }
}

function batch(found) {
  const { id, status, current, kept, started_at: started, published_at: published, rows, records, quality_score: score } = found;
  const marks = [
    h("span", { class: `mark ${status}` }, status),
    current ? h("span", { class: "mark current" }, "answers stand on it") : null,
    kept && !current ? h("span", { class: "mark" }, "can be rolled back to") : null,
  ];
  const counts = [
    rows === null ? null : `${grouped(rows)} customers`, records === null ? null : `${grouped(records)} new records`,
    score === null ? null : `quality ${score} of 100`,
  ];
  return h("li", {},
    h("strong", {}, `Batch ${id}`), marks,
    h("span", { class: "detail" }, counts.filter(Boolean).join(", ") || "It has counted nothing yet."),
    h("span", { class: "origin" }, `started ${moment(started)}${published ? `, published ${moment(published)}` : ""}`),
    h("details", { "data-key": `batch-${id}` }, h("summary", {}, `Checks of batch ${id}`), checks(found)));
}

function checks({ id, gate, audit, steps, cut }) {
  const offsets = Object.entries(cut).map(([partition, offset]) => `partition ${partition} below offset ${grouped(offset)}`);
  return [
    h("h3", {}, "Quality gate"), gate ? gated(id, gate) : h("p", { class: "empty" }, "It has not passed the gate."),
    h("h3", {}, "Audit"), audit ? audited(audit) : h("p", { class: "empty" }, "It has not been audited."),
    h("h3", {}, "What it absorbed"), h("p", {}, offsets.join(", ") || "nothing"),
    h("h3", {}, "How long its steps took"), h("p", {}, steps.map(({ name, seconds }) => `${name} ${seconds.toFixed(1)} s`).join(", ") || "none is finished"),
  ];
}

function gated(id, { records, score, quarantined, rules, changes }) {
  const notable = rules.filter(({ verdict }) => verdict !== "passed");
  const passed = rules.length - notable.length;
  return [
    h("p", {}, `${score} of 100 for ${counted(records, "new record")}; ${counted(quarantined, "row")} in quarantine, ${counted(passed, "rule")} passed.`),
    changes.map((each) => h("p", {}, each)),
    notable.length ? table(`Rules that batch ${id} did not simply pass`, ["Rule", "Verdict", "Found"], notable.map(({ rule, verdict, text }) => [rule, verdict, text])) : null,
  ];
}

function audited({ compared, skipped, facts, complete, findings, accepted, unaudited }) {
  const drift = findings.map((each) => `${each.drift.replaceAll("_", " ")}: ${counted(each.customers, "customer")}`);
  return [
    h("p", {}, `${counted(compared, "customer")} and ${counted(facts, "fact")} were compared with the answers that were served: `,
      h("strong", {}, drift.join(", ") || "no difference"), `. ${complete ? "Every loaded row is as it was computed." : "The loaded rows are not those that were computed."}`),
    skipped ? h("p", {}, `${counted(skipped, "customer")} erased meanwhile were skipped.`) : null,
    accepted ? h("p", {}, `An operator accepted the differences of ${counted(accepted, "customer")}.`) : null,
    unaudited.map((each) => h("p", { class: "problem" }, `Not audited: ${each}`)),
  ];
}
