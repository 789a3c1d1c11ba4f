// One text's answer: label, scores, words, sentences, and the numbers as a table.

import { $, brief, capitalised, element, percent, signed, slice } from "./dom.js";
import { bias, ends, leaning, verdict, withLabel } from "./labels.js";
import { inWords, paint, walk } from "./words.js";

export class Panel {
  constructor(name, { choose }) {
    this.root = $("panel").content.firstElementChild.cloneNode(true);
    this.root.setAttribute("aria-label", `Answer: ${name}`);
    this.name = name;
    this.part(".panel-name").textContent = name;
    this.words = [];
    this.choose = choose;
    this.part(".words").addEventListener("keydown", walk);
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  // Keeps the place of an answer that cannot be given, and says why.
  explain(message) {
    this.words = [];
    this.result = null;
    this.part(".notice").textContent = message;
    this.part(".notice").hidden = false;
    this.part(".whole").hidden = true;
  }

  take(text, result) {
    this.text = text;
    this.result = withLabel(result);
    this.words = inWords(text, this.result);
  }

  strongest() {
    return Math.max(...this.words.map((word) => Math.abs(word.value)), Number.EPSILON);
  }

  // Draws what was taken; `strongest` is the value with the strongest colour.
  show(strongest) {
    if (!this.result) return;
    const { result, text, words } = this;
    this.part(".whole").hidden = false;
    this.showNotice();
    this.showVerdict();
    this.showScores();
    paint(this.part(".words"), text, words, {
      strongest,
      truncated: result.truncated,
      choose: (word, mark) => this.choose(this, word, mark),
    });
    const { low, high } = ends(result.label);
    this.part(".legend-low").textContent = `${low} ${signed(-strongest)}`;
    this.part(".legend-high").textContent = `${signed(strongest)} ${high}`;
    this.showSentences();
    this.showTable();
  }

  showNotice() {
    const { truncated, token_count: read, unknown_count: unknown } = this.result;
    const remarks = [];
    if (truncated) remarks.push(`The text is long: the model read its first ${read.toLocaleString("en")} tokens, the rest is grey.`);
    if (unknown && unknown === read) remarks.push("The model knows none of these words, so its answer says little.");
    this.part(".notice").textContent = remarks.join(" ");
    this.part(".notice").hidden = !remarks.length;
  }

  showVerdict() {
    const { label, confident, polarity } = this.result;
    const { title, detail } = verdict(this.result);
    const place = this.part(".label");
    if (place.textContent !== title) place.textContent = title; // a screen reader speaks on every change
    place.className = `label ${this.result.labels ? "several" : leaning(label)}`;
    const unsure = confident === false ? "not sure" : ""; // null where the model has no threshold
    if (this.part(".unsure").textContent !== unsure) this.part(".unsure").textContent = unsure;
    this.part(".verdict-detail").textContent = detail + (polarity === null ? "" : `, polarity ${brief(polarity)}`);
    this.part(".polarity").hidden = polarity === null;
    if (polarity !== null) this.part(".marker").style.left = `${50 + 50 * polarity}%`;
  }

  showScores() {
    const { scores } = this.result;
    const list = this.part(".scores");
    if (list.childElementCount !== Object.keys(scores).length) list.replaceChildren(...Object.keys(scores).map(scoreRow));
    for (const row of list.children) {
      const score = scores[row.dataset.label];
      row.querySelector(".bar").style.width = `${100 * score}%`;
      row.querySelector(".number").textContent = percent(score);
    }
  }

  showSentences() {
    const { sentences, mixed } = this.result;
    this.part(".by-sentence").hidden = sentences.length < 2; // one sentence is the whole text
    this.part(".mixed").hidden = !mixed;
    this.part(".sentences").replaceChildren(...sentences.map((sentence) => sentenceRow(this.text, sentence)));
  }

  showTable() {
    const names = Object.keys(this.result.scores);
    const row = (title, cells) => element("tr", { children: [element("th", { text: title, attributes: { scope: "row" } }), ...cells.map((number) => element("td", { text: signed(number) }))] });
    const sums = names.map((name) => this.words.reduce((sum, word) => sum + word.contributions[name], 0));
    const heads = ["Word", ...names].map((name) => element("th", { text: name, attributes: { scope: "col" } }));
    this.part("table").replaceChildren(
      element("thead", { children: [element("tr", { children: heads })] }),
      element("tbody", { children: this.words.map((word) => row(word.text, names.map((name) => word.contributions[name]))) }),
      element("tfoot", { children: [row("Bias", names.map(bias)), row("Logit", sums.map((sum, at) => sum + bias(names[at])))] }),
    );
  }
}

function scoreRow(label) {
  const bar = element("span", { className: "bar" });
  return element("div", {
    data: { label },
    children: [
      element("dt", { text: label }),
      element("dd", { className: `track ${leaning(label)}`, attributes: { "aria-hidden": "true" }, children: [bar] }),
      element("dd", { className: "number" }),
    ],
  });
}

function sentenceRow(text, sentence) {
  const { title, detail: sureness } = verdict(sentence);
  const detail = `${capitalised(title)}, ${sureness}` + (sentence.polarity === null ? "" : `, polarity ${brief(sentence.polarity)}`);
  const row = element("li", {
    className: `sentence ${leaning(sentence.label)}`,
    children: [
      element("span", { className: "sentence-text", text: slice(text, sentence.start, sentence.end) }),
      element("span", { className: "quiet", text: detail }),
    ],
  });
  row.style.setProperty("--strength", Math.abs(sentence.polarity ?? sentence.score).toFixed(3));
  return row;
}
