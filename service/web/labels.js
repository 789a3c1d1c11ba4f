// The model's labels: which side they are on, and what a word's contributions are worth.

import { percent } from "./dom.js";

let labels = []; // with polarity and bias, from the model card

export function know(all) {
  labels = all;
}

export function bias(name) {
  return labels.find((label) => label.name === name)?.bias ?? 0;
}

export function leaning(name) {
  const polarity = labels.find((label) => label.name === name)?.polarity ?? 0;
  return polarity > 0.25 ? "positive" : polarity < -0.25 ? "negative" : "neutral";
}

export function haveSides() {
  return labels.some((label) => label.polarity !== null);
}

// What a result says, in words. A multi-label one has `labels`, perhaps none, in place of a label.
export function verdict({ label, labels, score, scores, confident }) {
  if (!labels) return { title: label, detail: confident === false ? `only ${percent(score)} sure` : `${percent(score)} sure` };
  const named = labels.length ? labels : [label];
  const detail = named.map((name) => `${name} ${percent(scores[name])}`).join(", ");
  return { title: labels.join(", ") || "None of the labels", detail: labels.length ? detail : `next is ${detail}` };
}

// A result with a label to color by, which a multi-label one does not have: the one with the highest score.
export function withLabel(result) {
  if (!result.labels) return result;
  const [label, score] = Object.entries(result.scores).reduce((best, entry) => (entry[1] > best[1] ? entry : best));
  return { ...result, label, score, confident: null, polarity: null, sentences: result.sentences?.map(withLabel) };
}

// The names at both ends of the colours.
export function ends(winner) {
  const directed = labels.filter((label) => label.polarity !== null).sort((a, b) => a.polarity - b.polarity);
  return directed.length ? { low: directed[0].name, high: directed.at(-1).name } : { low: `not ${winner}`, high: winner };
}

// What a word adds to the positive side: its contributions weighted by the labels' polarities. Where no label has a
// polarity, what it adds to the label that won.
export function worth(contributions, winner) {
  const directed = labels.filter((label) => label.polarity !== null);
  if (!directed.length) return contributions[winner];
  return directed.reduce((sum, label) => sum + label.polarity * contributions[label.name], 0);
}
