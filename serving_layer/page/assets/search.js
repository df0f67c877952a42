// Finds a customer: by its id, or by the beginning of it, among those that the last batch ranks.
import { ask, sentence } from "./api.js";
import { fill, h } from "./dom.js";

const WAIT = 150;
const MOST = 8;

export class Search {
  // `onFound` is called with the id that was chosen or typed.
  constructor(form, onFound) {
    this.input = form.querySelector("input");
    this.list = form.querySelector("[role=listbox]");
    this.note = form.querySelector(".note");
    this.chosen = -1;
    this.go = (id) => {
      this.close();
      this.input.value = "";
      onFound(id);
    };
    this.input.addEventListener("input", () => {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.suggest(), WAIT);
    });
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), WAIT));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const id = this.items?.[this.chosen]?.customer_id ?? this.input.value.trim();
      if (id) this.go(id);
    });
  }

  async suggest() {
    const prefix = this.input.value.trim();
    if (!prefix) return this.close();
    const turn = (this.turn = {});
    try {
      const { items, batch } = await ask("v1/customers", { prefix, limit: MOST });
      if (turn === this.turn) this.show(items, batch, prefix);
    } catch (error) {
      if (turn === this.turn) this.say(`No suggestions: ${sentence(error)} An id in full still works.`);
    }
  }

  show(items, batch, prefix) {
    const ids = (list) => JSON.stringify((list ?? []).map((each) => each.customer_id));
    if (items.length && ids(items) === ids(this.items)) return; // what is chosen among the same stays chosen
    this.items = items;
    this.chosen = -1;
    fill(this.list, items.map(({ customer_id: id, country, segment, at_risk: isAtRisk }, index) => h("li", {
      role: "option", id: `option-${index}`, "aria-selected": "false", onpointerdown: (event) => event.preventDefault(), onclick: () => this.go(id),
    }, id, h("span", { class: "more" }, [country, segment, isAtRisk ? "at risk" : null].filter(Boolean).join(", ")))));
    this.list.hidden = items.length === 0;
    this.input.setAttribute("aria-expanded", String(items.length > 0));
    this.say(items.length ? "" : `Batch ${batch.id} ranks no customer whose id begins with ${prefix}. Press Enter to ask for the id as it stands.`);
  }

  key(event) {
    if (event.key === "Escape") this.close();
    if (!["ArrowDown", "ArrowUp"].includes(event.key) || !this.items?.length) return;
    event.preventDefault();
    const count = this.items.length + 1; // one of them is the typed text itself
    this.chosen = ((this.chosen + 1 + (event.key === "ArrowDown" ? 1 : -1) + count) % count) - 1;
    [...this.list.children].forEach((each, index) => each.setAttribute("aria-selected", String(index === this.chosen)));
    if (this.chosen < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", `option-${this.chosen}`);
  }

  say(text) {
    this.note.textContent = text;
  }

  close() {
    clearTimeout(this.waiting);
    this.turn = null;
    this.items = [];
    this.chosen = -1;
    this.list.hidden = true;
    this.list.replaceChildren();
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.say("");
  }
}
