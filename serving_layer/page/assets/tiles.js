// Tiles of metrics. A tile shows its definition while it has the pointer or the focus; pressed, it shows how it was computed.
import { fill, h } from "./dom.js";
import { label, shown } from "./format.js";

const GROUPS = {
  Money: ["total_revenue", "net_revenue", "total_refunded", "avg_order_value", "estimated_clv", "revenue_90d"],
  Orders: ["order_count", "orders_90d", "last_order_date", "days_since_last_order", "first_order_date", "customer_lifetime_days"],
  Support: ["tickets_30d", "high_priority_tickets_30d", "open_tickets", "avg_resolution_hours"],
  Engagement: ["email_opens_30d", "email_clicks_30d", "click_through_rate", "campaign_views_30d", "last_engagement_date"],
};
const ELSEWHERE = ["at_risk", "risk_reason", "age_years", "tenure_days"];

// Fills `body` with the tiles of `metrics`. `batch` are those of the batch alone, or null, `before` those shown before, or null.
export function drawTiles(body, metrics, { catalogue, batch, batchId, before, onPress }) {
  const grouped = Object.values(GROUPS).flat();
  const others = Object.keys(metrics).filter((name) => !grouped.includes(name) && !ELSEWHERE.includes(name));
  const groups = Object.entries(others.length ? { ...GROUPS, Others: others } : GROUPS);
  const made = (name) => tile(catalogue.get(name) ?? { name, unit: "text" }, { value: metrics[name], batch: batch?.[name], batchId, before: before?.[name], onPress });
  fill(body, groups.map(([title, names]) => h("div", { class: "group" }, h("h3", {}, title),
    h("ul", { class: "tiles" }, names.filter((name) => name in metrics).map(made)))));
}

function tile({ name, unit, definition, formula }, { value, batch, batchId, before, onPress }) {
  const id = `definition-${name}`;
  const moved = before !== undefined && before !== value;
  const differs = batch !== undefined && batch !== value;
  const open = (event) => event.currentTarget.classList.remove("dismissed");
  const button = h("button", {
    type: "button", class: moved ? "tile moved" : "tile", "data-key": `tile-${name}`, "data-metric": name, "aria-describedby": id,
    onclick: () => onPress(name), onfocus: open, onpointerenter: open,
    onkeydown: (event) => event.key === "Escape" && event.currentTarget.classList.add("dismissed"),
  },
    h("span", { class: "name" }, label(name)), h("span", { class: "value" }, shown(value, unit)),
    moved ? h("span", { class: "was" }, `was ${shown(before, unit)}`) : null,
    differs ? h("span", { class: "was" }, `${shown(batch, unit)} in batch ${batchId}`) : null);
  const text = definition ? [definition, h("span", { class: "formula" }, formula)] : "There is no definition of this metric here.";
  return h("li", {}, button, h("span", { id, class: "definition", role: "tooltip" }, text));
}
