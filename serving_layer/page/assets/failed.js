// Says in a card that it could not be read. While the API does not answer at all, what was read before stays.
import { Unreachable, sentence } from "./api.js";
import { fill, h, reasons } from "./dom.js";

export function failed(body, error, what) {
  if (error instanceof Unreachable && body.childElementCount) return;
  fill(body, h("p", { class: "problem" }, `${what} cannot be read: ${sentence(error)}`), reasons(error.reasons ?? []));
}
