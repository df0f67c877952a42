// Asks the API. Paths are relative to the page, so that it works behind a proxy's prefix, too.
const KEY = "lambda360-api-key";
export const connection = new EventTarget();

// The API answered, with an error. `message` is a sentence for people.
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? `The API answered with status ${status}.`);
    this.status = status;
    this.body = body;
    this.reasons = body.reasons ?? [];
  }
}

// The API did not answer.
export class Unreachable extends Error {
  constructor() {
    super(`The API at ${location.host} does not answer.`);
  }
}

// Returns what an error of the API says to people. Throws any other error: that is a defect of this page.
export function sentence(error) {
  if (error instanceof Problem || error instanceof Unreachable) return error.message;
  throw error;
}

// Returns what the API answers to GET `path`. A parameter that is null or empty is left out. Throws Problem or Unreachable.
export async function ask(path, parameters = {}, signal = undefined) {
  const response = await request(path, parameters, { signal });
  return response.json();
}

// Returns the response if its status is good. Reports to `connection` whether the API answers, and whether it wants a key.
export async function request(path, parameters = {}, { signal, headers = {} } = {}) {
  let response;
  try {
    response = await fetch(url(path, parameters), { signal, headers: { ...headers, ...key() }, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    tell("unreachable");
    throw new Unreachable();
  }
  tell("reachable");
  if (response.ok) return response;
  if (response.status === 401) tell("key-wanted");
  throw new Problem(response.status, await body(response));
}

export function customer(id, what) {
  return `v1/customers/${encodeURIComponent(id)}/${what}`;
}

export function remember(text) {
  sessionStorage.setItem(KEY, text);
}

function key() {
  const kept = sessionStorage.getItem(KEY);
  return kept ? { "X-API-Key": kept } : {};
}

function url(path, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  return query.size ? `${path}?${query}` : path;
}

async function body(response) {
  try {
    return await response.json();
  } catch {
    return {};
  }
}

function tell(type) {
  connection.dispatchEvent(new Event(type));
}
