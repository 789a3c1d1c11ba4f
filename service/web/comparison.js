// Two wordings side by side: what the same word adds in each.

import { $, element, signed } from "./dom.js";

export function showComparison(panels) {
  const both = panels.length === 2 && panels.every((panel) => panel.result);
  $("comparison").hidden = !both;
  if (!both) return;
  const [here, there] = panels;
  $("comparison-rows").replaceChildren(...pairs(here.words, there.words).map(row));
}

// The k-th time a word stands in one text belongs to the k-th time it stands in the other.
function pairs(here, there) {
  const waiting = Map.groupBy(there.filter((word) => word.isWord), (word) => word.text.toLowerCase());
  const shared = here.filter((word) => word.isWord).map((word) => [word, waiting.get(word.text.toLowerCase())?.shift()]);
  const rest = [...waiting.values()].flat().sort((a, b) => a.index - b.index).map((word) => [undefined, word]);
  return [...shared, ...rest];
}

function row([here, there]) {
  const change = here && there ? there.value - here.value : null;
  const cells = [here?.value, there?.value, change];
  return element("tr", {
    className: here && there ? "" : "alone",
    children: [
      element("th", { text: (here ?? there).text, attributes: { scope: "row" } }),
      ...cells.map((value) => cell(value)),
    ],
  });
}

function cell(value) {
  if (value === undefined || value === null) return element("td", { text: "–" });
  return element("td", { className: value > 0 ? "positive" : value < 0 ? "negative" : "", text: signed(value) });
}
