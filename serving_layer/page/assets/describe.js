// Tells a CloudEvent of the topic `customer_deltas`, or an alert, in sentences. Amounts are cents there, times microseconds.
import { added, fields, kind, label, micros, money, origin } from "./format.js";

const MONEY = ["amount", "threshold", "revenue", "refunded"];

// Returns {title, details, position, at, from} of an event as it was published.
export function told(event) {
  const data = event.data ?? {};
  const common = { position: `${data.partition}:${data.offset}`, at: event.time, from: origin(data.origin), customer: event.subject };
  if (event.type === "customer.reset")
    return { ...common, title: "erased", details: ["Nothing below this position counts any more."] };
  if (event.type === "customer.alert") return { ...common, ...alert(data.alert ?? {}) };
  const what = happened(data.before, data.after);
  const values = (data.values ?? []).map((each) => ({ ...each, amount: value(each.measure, each.amount) }));
  const changed = changes(data.before, data.after, values[0]?.day);
  return { ...common, title: `${kind(data.kind)} ${data.entity_id} ${what}`, details: [...(changed ? [changed] : []), ...added(values)] };
}

// Returns what an alert says: of the API, with its evidence apart, or of the stream.
export function alert(found) {
  const evidence = found.evidence ?? found;
  const details =
    found.rule === "large_refund"
      ? [`Refund of ${evidence.amount === undefined ? "a large amount" : value("amount", evidence.amount)}, order ${evidence.order_id}`]
      : [evidence.reason, found.recommended_action ?? evidence.action].filter(Boolean).map((each) => label(each));
  return { title: `alert: ${label(String(found.rule ?? "unknown rule")).toLowerCase()}`, details };
}

// Returns what happened to the entity, by the images before and after (R5b).
export function happened(before, after) {
  if (retracted(after)) return "taken back";
  if (!before) return "new";
  return retracted(before) ? "brought back" : "changed";
}

function retracted(image) {
  return image?.payload?.kind === "retracted";
}

// Returns the fields that differ, as "amount 10.00 → 12.00". Of an entity that is new or brought back it has all but `day`.
function changes(before, after, day = null) {
  if (retracted(after)) return "";
  const now = readable(after);
  if (!before || retracted(before)) return fields(now, day);
  const was = readable(before);
  const differ = Object.keys(now).filter((name) => now[name] !== was[name]);
  return differ.map((name) => `${name.replaceAll("_", " ")} ${was[name] ?? "none"} → ${now[name] ?? "none"}`).join(", ");
}

function readable(image) {
  return Object.fromEntries(Object.entries(image?.payload ?? {}).map(([name, each]) => [name, value(name, each)]));
}

// A text is shown as it is: the REST endpoints have decimal texts and days already.
function value(name, found) {
  if (typeof found !== "number") return found;
  if (MONEY.includes(name)) return money(found);
  return name.endsWith("_date") || name.endsWith("_at") ? micros(found) : found;
}
