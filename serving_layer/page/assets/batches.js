// The list of batches, each with what its gate and its audit found.
import { ask } from "./api.js";
import { fill, h, table } from "./dom.js";
import { NONE, grouped, label, moment } from "./format.js";

const MOST = 10;

// Fills `body` with the newest batches.
export async function drawBatches(body) {
  try {
    const { items } = await ask("v1/batches", {});
    fill(body, items.length ? h("ol", { class: "batches" }, items.slice(0, MOST).map(batch)) : h("p", { class: "empty" }, "No batch has run yet. `lambda360 batch run` runs one."));
  } catch (error) {
    fill(body, h("p", { class: "problem" }, `The batches cannot be read: ${error.message}`));
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
  const rows = [...flat("gate", gate), ...flat("audit", audit), ...steps.map(({ name, seconds }) => [`step ${name}`, `${Number(seconds).toFixed(1)} s`])];
  for (const [partition, offset] of Object.entries(cut ?? {})) rows.push([`cut of partition ${partition}`, `below offset ${offset}`]);
  return rows.length ? table(`Checks of batch ${id}`, ["Check", "Found"], rows) : h("p", { class: "empty" }, "It has reached no check yet.");
}

// What a report says, a row for each of its values; lists of findings are joined.
function flat(name, found) {
  if (found === null || found === undefined) return [[label(name), "not reached"]];
  if (Array.isArray(found)) return [[label(name), found.length ? found.map(words).join("; ") : "none"]];
  if (typeof found !== "object") return [[label(name), found === true ? "yes" : found === false ? "no" : String(found)]];
  return Object.entries(found).flatMap(([key, value]) => flat(`${name}: ${key}`, value));
}

function words(found) {
  if (found === null || typeof found !== "object") return String(found ?? NONE);
  return Object.entries(found).map(([key, value]) => `${key.replaceAll("_", " ")} ${words(value)}`).join(", ");
}
