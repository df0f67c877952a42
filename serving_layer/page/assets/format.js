// Numbers, days and names as people read them. Money stays text: it is grouped, never rounded.
export const NONE = "–";
const WORDS = { avg: "average", clv: "CLV", "30d": "in 30 days", "90d": "in 90 days" };
const KINDS = {
  order: "order", refund: "refund", support_ticket: "ticket", marketing_event: "marketing event", customer_profile: "profile",
};

// Returns a metric's or a measure's value with its unit, or a dash for null.
export function shown(value, unit) {
  if (value === null || value === undefined) return NONE;
  if (unit === "flag" || typeof value === "boolean") return value ? "yes" : "no";
  if (unit === "rate") return `${(Number(value) * 100).toFixed(2)} %`;
  if (unit === "hours") return `${grouped(value)} h`;
  if (unit === "seconds") return `${grouped(value)} s`;
  if (unit === "days" || unit === "years") return counted(value, unit.slice(0, -1));
  return unit === "money" || unit === "count" ? grouped(value) : String(value);
}

// Returns a decimal text or a number with its thousands apart; its decimals are as they were.
export function grouped(value) {
  const [whole, decimals] = String(value).split(".");
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (decimals === undefined ? "" : `.${decimals}`);
}

export function counted(count, one, many = `${one}s`) {
  return `${grouped(count)} ${Number(count) === 1 ? one : many}`;
}

// Returns a decimal text with at most two decimals as cents.
export function cents(text) {
  const [, sign, whole, decimals = ""] = /^([+-]?)(\d+)(?:\.(\d{1,2}))?$/.exec(String(text)) ?? [null, "", "0"];
  const value = BigInt(whole) * 100n + BigInt(decimals.padEnd(2, "0"));
  return sign === "-" ? -value : value;
}

// Returns cents, a BigInt or a whole number, as a decimal text.
export function money(amount) {
  const value = BigInt(amount);
  const digits = String(value < 0n ? -value : value).padStart(3, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

export function signed(text) {
  return /^[-+]/.test(text) ? String(text) : `+${text}`;
}

// Returns a moment as its UTC day and time; at midnight sharp it is a day, as a source that knows only days writes it.
export function moment(text) {
  if (!text) return NONE;
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return String(text);
  const [day, time] = at.toISOString().split("T");
  return time === "00:00:00.000Z" ? day : `${day} ${time.slice(0, 8)} UTC`;
}

// Returns microseconds (UTC) as `moment` does.
export function micros(value) {
  return moment(new Date(value / 1000).toISOString());
}

// Returns a span of seconds in its largest unit.
export function span(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const units = [[86400, "days"], [3600, "h"], [60, "min"]];
  const [size, unit] = units.find(([each]) => seconds >= each * 2) ?? [1, "s"];
  return `${grouped(Math.round(seconds / size))} ${unit}`;
}

// Returns a name of the tables as words: `avg_order_value` is "Average order value".
export function label(name) {
  const words = name.split("_").map((word) => WORDS[word] ?? word).join(" ");
  return words[0].toUpperCase() + words.slice(1);
}

export function kind(name) {
  return KINDS[name] ?? name;
}

// Returns where a record came from, as text; null where that is not known.
export function origin(from) {
  if (!from) return null;
  const file = from.file ?? from.source;
  const name = String(file).split("/").pop() || String(file);
  return from.row === null || from.row === undefined ? name : `${name}, row ${from.row}`;
}

// Returns a payload's fields as one line: "amount 10.00, status completed". Unknown values, and what `at` says, are left out.
export function fields(payload, at = null) {
  return Object.entries(payload ?? {})
    .map(([name, value]) => [name, field(name, value)])
    .filter(([name, text]) => name !== "kind" && text !== null && (at === null || text !== moment(at)))
    .map(([name, text]) => `${name.replace(/_seconds$/, "").replaceAll("_", " ")} ${text}`)
    .join(", ");
}

// Returns contributions as one line for each day: "Order count +1, revenue +44.97 on 1998-01-31".
export function added(contributions) {
  const days = new Map();
  for (const { measure, day, amount } of contributions)
    days.set(day, [...(days.get(day) ?? []), `${measure.replaceAll("_", " ")} ${signed(grouped(amount))}`]);
  return [...days].map(([day, parts]) => `${label(parts.join(", "))} on ${day}`);
}

// Returns a payload's value as text; null stays null.
export function field(name, value) {
  if (value === null || value === undefined) return null;
  if (name.endsWith("_date") || name.endsWith("_at")) return moment(value);
  return name.endsWith("_seconds") ? span(value) : String(value);
}
