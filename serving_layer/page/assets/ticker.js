// The live ticker: what the stream brings, the newest first, with its gaps. It can be paused, and follows one customer or all.
import { address } from "./address.js";
import { told } from "./describe.js";
import { fill, h } from "./dom.js";
import { moment } from "./format.js";
import { Stream } from "./live.js";

const KEPT = 50;
const STATES = { connecting: "connecting", live: "live", waiting: "not connected", paused: "paused" };

export class Ticker {
  // `onChange` is called with the customer's id after each change of the followed customers.
  constructor(onChange) {
    this.onChange = onChange;
    this.items = [];
    this.missed = 0;
    this.state = h("span", { class: "state", role: "status" });
    this.list = h("ol", { class: "ticker" });
    this.button = h("button", { type: "button", onclick: () => this.pause(!this.paused) });
    this.paused = false;
    this.section = h("section", { id: "live", class: "card", "aria-labelledby": "live-title" },
      h("div", { class: "row" }, h("h2", { id: "live-title" }, "Live changes"), this.state, this.button),
      (this.scope = h("p", { class: "note" })), this.list);
    document.addEventListener("visibilitychange", () => this.resume());
  }

  // Follows one customer, or all of them if `id` is null, from now on. A customer is opened as of `asOf`.
  follow(id, asOf) {
    this.asOf = asOf;
    if (this.stream && this.id === id) return;
    this.stream?.close();
    this.id = id;
    this.items = [];
    const path = id === null ? "v1/deltas" : `v1/customers/${encodeURIComponent(id)}/deltas`;
    this.stream = new Stream(path, {}, (event) => this.take(event), (state, why) => this.show(state, why));
    this.scope.textContent = id === null ? "Of all customers, as they are applied." : "Of this customer, as they are applied.";
    this.draw();
    this.resume();
  }

  pause(paused) {
    this.paused = paused;
    this.resume();
  }

  // A page that nobody sees holds no connection; when it is seen again, the stream goes on behind the last event.
  resume() {
    this.button.textContent = this.paused ? "Go on" : "Pause";
    if (this.paused) this.show("paused");
    if (this.paused || document.hidden) this.stream?.close();
    else this.stream?.open();
  }

  show(state, why = "") {
    this.state.className = `state ${state}`;
    this.state.textContent = why ? `${STATES[state]}: ${why.replace(/\.?$/, ".")} It is tried again.` : STATES[state];
  }

  take({ event, data }) {
    if (event === "heartbeat") return this.beat(parsed(data));
    const item = event === "gap" || event === "dropped" ? interruption(event, parsed(data)) : change(parsed(data));
    this.items = [item, ...this.items].slice(0, KEPT);
    this.draw();
    this.onChange(item.customer ?? this.id);
  }

  // A heartbeat says whether the server itself still follows the log.
  beat({ following }) {
    this.show(following === false ? "waiting" : "live", following === false ? "Kafka does not answer the server." : "");
  }

  draw() {
    const empty = h("li", { class: "empty" }, "Nothing has changed since this page follows. A change is shown here as soon as it is applied.");
    fill(this.list, this.items.length ? this.items.map((each) => row(each, this.id === null, this.asOf)) : empty);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { detail: text };
  }
}

function change(event) {
  return { ...told(event), class: event.type === "customer.alert" ? "alert" : event.type === "customer.reset" ? "reset" : "change" };
}

// What the stream says of itself: changes that are missing, or that it was too slow for them.
function interruption(event, data) {
  const title = event === "gap" ? "Some changes are missing here" : "The server ended the stream";
  const details = [data.reason ?? data.detail, ...missing(data), event === "gap" ? "The figures on this page are not affected: they are read from the stores." : "It connects again where it was."];
  return { title, details: details.filter(Boolean), class: "gap", at: null, position: null, from: null };
}

function missing(data) {
  return (data.missing ?? []).map(({ partition, first, last }) =>
    last === null ? `Partition ${partition}: from position ${first} on; nobody knows how many.` : `Partition ${partition}: positions ${first} to ${last}.`);
}

function row(item, withCustomer, asOf) {
  const name = item.customer;
  return h("li", { class: item.class },
    h("strong", {}, item.title),
    withCustomer && name !== undefined ? [" of ", h("a", { href: address(name, asOf) }, name)] : null,
    item.details.map((each) => h("span", { class: "detail" }, each)),
    item.position && h("span", { class: "origin" }, [moment(item.at), `position ${item.position}`, item.from].filter(Boolean).join(" · ")));
}
