// Follows server-sent events by fetch: unlike EventSource it sends an API key, and can say why it was refused.
import { Problem, Unreachable, request } from "./api.js";

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30000;
const SILENCE = 60000;

// A stream of events that is opened again, from the last event on, for as long as it is not closed.
export class Stream {
  // `onEvent` gets {event, id, data}; `onState` gets "connecting", "live" or "waiting", and a sentence for the last.
  constructor(path, parameters, onEvent, onState) {
    Object.assign(this, { path, parameters, onEvent, onState, lastId: null, first: FIRST_PAUSE, pause: FIRST_PAUSE, controller: null });
  }

  // Idempotent. After `close` it goes on behind the last event.
  open() {
    if (this.controller === null) this.connect();
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.watchdog);
    const controller = this.controller;
    this.controller = null;
    controller?.abort();
  }

  async connect() {
    this.onState("connecting");
    const controller = (this.controller = new AbortController());
    try {
      const headers = { Accept: "text/event-stream", ...(this.lastId === null ? {} : { "Last-Event-ID": this.lastId }) };
      const response = await request(this.path, this.parameters, { headers, signal: controller.signal });
      this.onState("live");
      await this.read(response.body);
      this.again(controller, "The server ended the stream.");
    } catch (error) {
      this.again(controller, error instanceof Problem || error instanceof Unreachable ? error.message : "The stream broke off.");
    }
  }

  async read(body) {
    const parser = new Parser();
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      this.watch();
      const { done, value } = await reader.read();
      if (done) return;
      for (const event of parser.push(value)) this.take(event);
    }
  }

  take(event) {
    this.first = event.retry ?? this.first;
    this.pause = this.first;
    if (event.id !== undefined) this.lastId = event.id;
    if (event.data !== undefined) this.onEvent(event);
  }

  // Opens the stream again when even heartbeats stay away: a dead connection may never report an error.
  watch() {
    clearTimeout(this.watchdog);
    const controller = this.controller;
    this.watchdog = setTimeout(() => controller.abort(), SILENCE);
  }

  // `controller` is that of the connection that ended: one that was closed meanwhile is not opened again.
  again(controller, reason) {
    if (controller !== this.controller) return;
    clearTimeout(this.watchdog);
    this.onState("waiting", reason);
    this.timer = setTimeout(() => this.connect(), this.pause);
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
  }
}

// Takes text as it arrives, and yields the events that are complete, as the HTML standard reads them.
export class Parser {
  #rest = "";
  #event = {};

  *push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (Object.keys(this.#event).length) yield { event: "message", ...this.#event };
        this.#event = {};
      } else this.#field(line);
    }
  }

  #field(line) {
    const [, name, value = ""] = /^([^:]*)(?:: ?([\s\S]*))?$/.exec(line);
    if (name === "event" || name === "id") this.#event[name] = value;
    else if (name === "data") this.#event.data = this.#event.data === undefined ? value : `${this.#event.data}\n${value}`;
    else if (name === "retry" && /^\d+$/.test(value)) this.#event.retry = Number(value);
  }
}
