// Builds elements. Text is set as text only: nothing that comes from data is ever parsed as HTML.
const SVG = "http://www.w3.org/2000/svg";

// Returns an HTML element. An attribute that is a function listens to its event (`onclick`); null and false leave one out.
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

// Returns an SVG element.
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

// Replaces what `container` holds. The focus, and what is open, stay on the elements of the same `data-key`.
export function fill(container, ...children) {
  const focused = container.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const open = keyed(container, "details[open]");
  container.replaceChildren(...nodes(children));
  for (const each of container.querySelectorAll("details[data-key]")) if (open.has(each.dataset.key)) each.open = true;
  if (focused !== undefined)
    [...container.querySelectorAll("[data-key]")].find((each) => each.dataset.key === focused)?.focus({ preventScroll: true });
}

function keyed(container, selector) {
  return new Set([...container.querySelectorAll(selector)].map((each) => each.dataset.key));
}

// Returns a table with a caption that only screen readers get. A cell is text, an element, or {text, class}.
export function table(caption, heads, rows, attributes = {}) {
  const cell = (value, tag = "td", more = {}) => {
    const plain = value === null || typeof value !== "object" || value instanceof Node || Array.isArray(value);
    return plain ? h(tag, more, ...[value].flat()) : h(tag, { ...more, class: value.class }, value.text);
  };
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", attributes,
      h("caption", { class: "hidden" }, caption),
      h("thead", {}, h("tr", {}, heads.map((head) => cell(head, "th", { scope: "col" })))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((value, i) => (i ? cell(value) : cell(value, "th", { scope: "row" }))))))));
}

// Returns a card: a section with a heading and a body, which `fill` fills.
export function card(id, title, note = null) {
  const body = h("div", { class: "body" });
  const section = h("section", { id, class: "card", "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title), note && h("p", { class: "note" }, note), body);
  return { section, body };
}

// Returns the mark of an answer's status; its reasons are shown by `reasons`.
export function pill(status) {
  return h("span", { class: `pill ${status}` }, status);
}

// Returns a list of the reasons of a degraded answer, or nothing.
export function reasons(list) {
  return list.length ? h("ul", { class: "reasons", "aria-label": "Why it is degraded" }, list.map((each) => h("li", {}, each))) : null;
}

let spokenAt = -Infinity;

// Tells screen readers, at most once in five seconds: what comes sooner is left out, since the page shows it anyway.
export function speak(text) {
  if (performance.now() - spokenAt < 5000) return;
  spokenAt = performance.now();
  document.getElementById("spoken").textContent = text;
}
