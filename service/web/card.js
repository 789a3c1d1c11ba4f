// The model card: what is served, how good it is, where it comes from, and the limits in force.

import { $, element } from "./dom.js";

const whole = (number) => number.toLocaleString("en");

export function showCard(card) {
  const { architecture: shape, limits } = card;
  const direction = shape.bidirectional ? "bidirectional " : "";
  $("card-summary").textContent = card.description;
  const layers = `${shape.layers} ${shape.layers === 1 ? "layer" : "layers"}`;
  facts([
    ["Name", `${card.name} ${card.version}, made ${card.created.slice(0, 10)}`],
    ["Network", `${direction}${shape.cell.toUpperCase()}, ${layers} of ${whole(shape.hidden_size)} units, ${shape.connection} connection, ${shape.pooling.join(" and ")} pooling, ${whole(shape.parameters)} parameters${card.arithmetic === "int8" ? ", computed in 8 bits" : ""}`],
    [card.multi_label ? "Labels, any number a text" : "Labels", card.labels.map(({ name, polarity }) => (polarity === null ? name : `${name} (${String(polarity).replace("-", "−")})`)).join(", ")],
    ["Tokens", `${card.tokenizer.kind}, a vocabulary of ${whole(card.tokenizer.vocabulary_size)}`],
    ["Calibration", card.calibration.data === null ? "none" : `temperature ${card.calibration.temperature.toFixed(3)}, fitted on ${whole(card.calibration.rows)} rows of ${card.calibration.data}`],
    ["Confident", confidence(card.calibration)],
    ["Sources", sources(card.training).join("; ") || "not given"],
    ["Limits", `${whole(limits.max_tokens)} tokens and ${whole(limits.max_characters)} characters a text, ${whole(limits.max_texts)} texts a request`],
    ["SHA-256", card.sha256],
  ]);
}

// The figures, once their table is opened.
export function showFigures({ metrics }) {
  $("card-metrics-rows").replaceChildren(...metrics.map(measurement));
  $("card-metrics-none").hidden = metrics.length > 0;
}

// Those of the run and of the earlier ones whose weights it began with.
function sources({ sources: own, initialized_from: earlier }) {
  return [...new Set([...own, ...(earlier ? sources(earlier) : [])])];
}

function facts(pairs) {
  $("card-facts").replaceChildren(...pairs.flatMap(([name, text]) => [element("dt", { text: name }), element("dd", { text })]));
}

function confidence({ threshold, target_accuracy: target }) {
  if (target === null) return "no threshold was chosen";
  const goal = `${Number((100 * target).toPrecision(4))}% accuracy`;
  return threshold === null ? `no answer, as nothing reached ${goal}` : `from a score of ${threshold.toFixed(4)} on, for ${goal}`;
}

function measurement({ data, rows, metric, value, low, high }) {
  const name = element("th", { text: metric.replaceAll("_", " "), attributes: { scope: "row" } });
  return element("tr", { children: [name, element("td", { text: value.toFixed(4) + (low === null || high === null ? "" : ` (${low.toFixed(4)} to ${high.toFixed(4)})`) }), element("td", { text: `${whole(rows)} rows of ${data}` })] });
}
