// Asking the service. A newer question of the same kind takes the place of an older one.

import { locked, send } from "./key.js";

const underWay = new Map();

export class Refused extends Error {}

export async function ask(path, body) {
  underWay.get(path)?.abort();
  const controller = new AbortController();
  underWay.set(path, controller);
  const response = await send(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal: controller.signal,
  });
  const content = await response.json();
  if (response.status === 401) throw new Refused("Enter an API key above, and the answer appears here.");
  if (!response.ok) throw new Refused(content.error.message);
  return content;
}

// The model card; with `evaluation` also its figures, which are most of its bytes.
export async function card({ evaluation = false } = {}) {
  const response = await send(evaluation ? "v1/model?evaluation=true" : "v1/model");
  if (!response.ok) throw new Refused(response.statusText);
  return response.json();
}

export function overtaken(error) {
  return error.name === "AbortError";
}

export function complaint(error) {
  return error instanceof Refused ? error.message : "The service does not answer. Is it still running? Edit the text to try again.";
}

export function curl(body) {
  const quoted = JSON.stringify(body).replaceAll("'", "'\\''");
  const key = locked() ? ` \\\n  -H "Authorization: Bearer $API_KEY"` : ""; // a name for it: what is shown may be photographed
  return `curl ${new URL("v1/predict", location.href)}${key} \\\n  -H 'Content-Type: application/json' \\\n  -d '${quoted}'`;
}
