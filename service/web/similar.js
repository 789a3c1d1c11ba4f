// The words on screen that are most similar to one of them in context: the cosine of their representations.

import { $, brief, element, slice } from "./dom.js";
import { ask, complaint, overtaken } from "./service.js";

const SHOWN = 8;
const BESIDE = 2; // words of context on either side

let vectors = null; // for each panel its words' unit vectors; asked for once a text
let chosen = null;

export function forget() {
  vectors = null;
  close();
}

export function close() {
  chosen?.setAttribute("aria-pressed", "false");
  chosen = null;
  $("similar").hidden = true;
}

export async function showSimilar(panels, panel, word, mark) {
  if (mark === chosen) return close();
  close();
  chosen = mark;
  mark.setAttribute("aria-pressed", "true");
  try {
    const found = vectors ?? (await represent(panels));
    if (chosen !== mark) return; // another word was clicked meanwhile, or the text is another
    vectors = found;
    list(panels, panel, word);
  } catch (error) {
    if (chosen === mark && !overtaken(error)) say(complaint(error));
  }
}

async function represent(panels) {
  const answer = await ask("v1/represent", { texts: panels.map((panel) => panel.text), encoding: "base64" });
  return new Map(answer.results.map((result) => {
    const panel = panels[result.index];
    return [panel, panel.words.map((word) => unit(mean(rows(result.representations[0]), word.rows)))];
  }));
}

// The numbers are little-endian, as are all machines that run a browser.
function rows({ data, shape: [count, width] }) {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const numbers = new Float32Array(bytes.buffer);
  return Array.from({ length: count }, (_, row) => numbers.subarray(row * width, (row + 1) * width));
}

function mean(vectors, indices) {
  return vectors[indices[0]].map((_, dimension) => indices.reduce((sum, index) => sum + vectors[index][dimension], 0) / indices.length);
}

function unit(vector) {
  const length = Math.hypot(...vector) || 1;
  return vector.map((number) => number / length);
}

function list(panels, panel, word) {
  const from = vectors.get(panel)[word.index];
  const others = panels
    .flatMap((one) => one.words.map((other) => ({ panel: one, word: other })))
    .filter((other) => other.word !== word && other.word.isWord)
    .map((other) => ({ ...other, cosine: vectors.get(other.panel)[other.word.index].reduce((sum, number, at) => sum + number * from[at], 0) }))
    .sort((a, b) => b.cosine - a.cosine)
    .slice(0, SHOWN);
  $("similar-word").textContent = word.text;
  say(others.length ? "" : "There is no other word on the page. Add some, or compare two wordings.");
  $("similar-list").replaceChildren(...others.map((other) => row(other, panels.length > 1)));
}

function row({ panel, word, cosine }, named) {
  const first = panel.words[Math.max(0, word.index - BESIDE)];
  const last = panel.words[Math.min(panel.words.length - 1, word.index + BESIDE)];
  const context = [
    slice(panel.text, first.start, word.start).replace(/^[^\p{L}\p{N}]+/u, ""), // not from the middle of a mark on
    element("strong", { text: word.text }),
    slice(panel.text, word.end, last.end),
  ];
  const bar = element("span", { className: "bar" });
  bar.style.width = `${100 * Math.max(0, cosine)}%`;
  return element("li", {
    children: [
      element("span", { className: "context", children: context }),
      element("span", { className: "quiet", text: named ? panel.name.toLowerCase() : "" }),
      element("span", { className: "track", attributes: { "aria-hidden": "true" }, children: [bar] }),
      element("span", { className: "number", text: brief(cosine).replace("+", "") }),
    ],
  });
}

function say(message) {
  $("similar").hidden = false;
  $("similar-notice").textContent = message;
  $("similar-notice").hidden = !message;
  if (message) $("similar-list").replaceChildren();
}
