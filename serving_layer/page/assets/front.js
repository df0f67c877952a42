// The front door: lists the routes that the API describes.
import { ask, sentence } from "./api.js";
import { fill, h, table } from "./dom.js";

const place = document.getElementById("routes");
try {
  const { paths } = await ask("openapi.json");
  const rows = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { summary, description }]) => [h("code", {}, `${method.toUpperCase()} ${path}`), description ?? summary ?? ""]));
  fill(place, table("Routes", ["Route", "What it answers"], rows));
} catch (error) {
  fill(place, h("p", { class: "problem" }, `The routes cannot be read: ${sentence(error)}`));
}
