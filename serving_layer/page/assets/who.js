// Who a customer is: the profile, how long it has been one, and whether it is at risk, with the reason.
import { ask, customer, sentence } from "./api.js";
import { fill, h } from "./dom.js";
import { NONE, counted, moment, shown } from "./format.js";

// Fills `body` from an answer of GET …/explain.
export function drawWho(body, { customer_id: id, as_of: day, metrics, profile }) {
  const entry = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value ?? NONE));
  const known = profile ?? {};
  fill(body, risk(id, day, metrics),
    profile === null ? h("p", { class: "empty" }, "No profile of this customer is known.") : h("dl", { class: "facts" },
      entry("Country", known.country), entry("Segment", known.segment),
      entry("Signed up", known.signed_up_date), entry("Customer for", shown(metrics.tenure_days, "days")),
      entry("Born", known.birth_date), entry("Age", shown(metrics.age_years, "years"))));
}

function risk(id, day, { at_risk: isAtRisk, risk_reason: reason, tickets_30d: tickets, high_priority_tickets_30d: high }) {
  if (isAtRisk === null) return null;
  if (!isAtRisk) return h("p", { class: "risk calm" }, h("strong", {}, "Not at risk"), ` on ${day}: ${counted(tickets, "ticket")} in 30 days, ${high} of high priority.`);
  const evidence = h("ul", { class: "evidence" });
  tell(evidence, id, day, tickets);
  return h("div", { class: "risk" }, h("p", {}, h("strong", {}, "At risk"), ` on ${day}: ${reason}.`), evidence);
}

// Lists the tickets behind the reason: the newest ones up to `day`, as many as the metric counted.
async function tell(list, id, day, count) {
  try {
    const { items } = await ask(customer(id, "facts"), { kind: "support_ticket", limit: 100 });
    const known = items.filter(({ retracted, happened_at: at }) => !retracted && at.slice(0, 10) <= day);
    fill(list, known.slice(0, count).map(({ entity_id: ticket, happened_at: at, payload }) => h("li", {},
      `ticket ${ticket} of ${moment(at)}: ${payload.priority} priority, ${payload.category ?? "no category"}, ${payload.resolved_date ? `resolved ${moment(payload.resolved_date)}` : "open"}`)));
  } catch (error) {
    fill(list, h("li", { class: "problem" }, `The tickets cannot be read: ${sentence(error)}`));
  }
}
