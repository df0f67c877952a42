// Puts the page together. The address says what is shown: `#/` the overview, `#/customers/ID` a customer; `?as_of=DAY` stays.
import { ask, connection, remember } from "./api.js";
import { address } from "./address.js";
import { CustomerView } from "./customer.js";
import { fill, h } from "./dom.js";
import { Layers } from "./layers.js";
import { Overview } from "./overview.js";
import { Search } from "./search.js";
import { Ticker } from "./ticker.js";

const $ = (id) => document.getElementById(id);
let view = null;
let catalogue = null;

const ticker = new Ticker((id) => view instanceof CustomerView && view.id === id && view.changed());
const layers = new Layers($("status"), () => view?.load(), () => view?.tick?.());

// Returns the customer and the day that the address names; the customer is null on the overview.
function place() {
  const found = /^#\/(?:customers\/([^?]+))?(?:\?as_of=(\d{4}-\d{2}-\d{2}))?$/.exec(location.hash);
  return { id: found?.[1] ? decoded(found[1]) : null, asOf: found?.[2] ?? null };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function show(first = false) {
  if (location.hash && !location.hash.startsWith("#/")) return; // a link within the page
  const { id, asOf } = place();
  const metrics = await described();
  view = id === null ? new Overview(metrics, asOf) : new CustomerView(id, asOf, metrics, ticker, (day) => (location.hash = address(id, day)));
  document.title = id === null ? "lambda360 dashboard" : `${id} – lambda360`;
  fill($("view"), view.element);
  if (!first) view.element.querySelector("h1").focus();
  ticker.follow(id, asOf);
  $("home").href = address(null, asOf);
  await view.load();
}

// Returns the metrics by name; without an answer none of them, and the page works without definitions until it is loaded again.
async function described() {
  try {
    catalogue ??= new Map((await ask("v1/metrics")).items.map((each) => [each.name, each]));
  } catch {
    return new Map();
  }
  return catalogue;
}

// Says that the API does not answer, and reads everything anew once it does.
function watchConnection() {
  const notice = $("notice");
  connection.addEventListener("unreachable", () => {
    if (!notice.hidden) return;
    notice.hidden = false;
    fill(notice, h("strong", {}, "The API does not answer."), ` ${location.host} is asked again every few seconds. What is shown was read before.`);
  });
  connection.addEventListener("reachable", () => {
    if (notice.hidden) return;
    notice.hidden = true;
    readAnew();
  });
}

// Asks for an API key when the server wants one; again after a wrong one, and not again after it was dismissed.
function watchKey() {
  const dialog = $("key"), input = $("api-key");
  let dismissed = false;
  connection.addEventListener("key-wanted", () => dismissed || dialog.open || dialog.showModal());
  dialog.addEventListener("cancel", () => (dismissed = true));
  dialog.querySelector("form").addEventListener("submit", () => {
    remember(input.value);
    input.value = "";
    layers.load();
    readAnew();
  });
}

function readAnew() {
  if (catalogue === null) show(true);
  else view?.load();
}

watchConnection();
watchKey();
new Search($("find"), (id) => {
  if (location.hash === address(id, place().asOf)) view.load();
  location.hash = address(id, place().asOf);
});
$("aside").append(ticker.section, layers.section);
addEventListener("hashchange", () => show());
layers.load();
show(true);
