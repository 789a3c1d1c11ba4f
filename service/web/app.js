// The page: asks the service for the sentiment of what is typed, and shows what every word adds to it.

const PAUSE_MS = 250; // long enough not to ask at every key, short enough to feel immediate
const STRONGEST_WASH = 0.85; // the text must stay readable on the strongest colour
const WORD_CHARACTER = /[\p{L}\p{M}\p{N}'’]/u;

const $ = (id) => document.getElementById(id);
const signed = new Intl.NumberFormat("en", { minimumFractionDigits: 3, maximumFractionDigits: 3, signDisplay: "exceptZero" });
const percent = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const minus = (number) => signed.format(number).replace("-", "−");

let labels = []; // the model's labels with polarity and bias, from the model card
let underWay = new AbortController();
let pause = 0;

// Asking

async function ask() {
  underWay.abort();
  underWay = new AbortController();
  const { signal } = underWay;
  const text = $("text").value.toWellFormed(); // half an emoji is no text that could be sent
  showCurl(text);
  if (!text.trim()) return explainNothing("Type a sentence, and its sentiment appears here.");
  $("answer").classList.add("waiting");
  try {
    const response = await fetch("v1/predict", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ texts: [text], explain: true }),
      signal,
    });
    const content = await response.json();
    if (!response.ok) return explainNothing(content.error.message);
    if (content.errors.length) return explainNothing(capitalised(content.errors[0].message) + ".");
    show(text, content.results[0]);
  } catch (error) {
    if (error.name !== "AbortError") explainNothing("The service does not answer. Is it still running? Edit the text to try again.");
  } finally {
    if (!signal.aborted) $("answer").classList.remove("waiting");
  }
}

function explainNothing(message) {
  $("notice").textContent = message;
  $("notice").hidden = false;
  $("answer").hidden = $("reasons").hidden = true;
  hideTip();
}

// The answer

function show(text, result) {
  $("notice").hidden = $("answer").hidden = $("reasons").hidden = false;
  showNotice(result);
  $("label").textContent = result.label;
  $("label").className = `label ${leaning(result.label)}`;
  $("verdict-detail").textContent =
    `${percent.format(result.score)} sure` + (result.polarity === null ? "" : `, polarity ${polarity(result.polarity)}`);
  $("polarity").hidden = result.polarity === null;
  if (result.polarity !== null) $("marker").style.left = `${50 + 50 * result.polarity}%`;
  showScores(result.scores);
  showWords(text, result);
}

function showNotice(result) {
  const remarks = [];
  if (result.truncated) remarks.push(`The text is long: the model read its first ${result.token_count} tokens, the rest is grey.`);
  if (result.unknown_count && result.unknown_count === result.token_count) remarks.push("The model knows none of these words, so its answer says little.");
  $("notice").textContent = remarks.join(" ");
  $("notice").hidden = !remarks.length;
}

function showScores(scores) {
  const list = $("scores");
  if (list.childElementCount !== Object.keys(scores).length) list.replaceChildren(...Object.keys(scores).map(scoreRow));
  for (const row of list.children) {
    const score = scores[row.dataset.label];
    row.querySelector(".bar").style.width = `${100 * score}%`;
    row.querySelector(".number").textContent = percent.format(score);
  }
}

function scoreRow(label) {
  const row = element("div", { data: { label } });
  const bar = element("span", { className: "bar" });
  row.append(
    element("dt", { text: label }),
    element("dd", { className: `track ${leaning(label)}`, attributes: { "aria-hidden": "true" }, children: [bar] }),
    element("dd", { className: "number" }),
  );
  return row;
}

// The reasons

function showWords(text, result) {
  const characters = Array.from(text); // offsets count code points, and JavaScript's strings do not
  const words = inWords(result.tokens);
  for (const word of words) word.value = worth(word.contributions, result.label);
  const strongest = Math.max(...words.map((word) => Math.abs(word.value)), Number.EPSILON);
  const pieces = [];
  let position = 0;
  for (const [number, word] of words.entries()) {
    const between = characters.slice(position, word.start).join("");
    if (between) pieces.push(position === 0 && between.trim() ? unread(between) : between);
    word.text = characters.slice(word.start, word.end).join("");
    pieces.push(wordMark(word, number, word.value / strongest));
    position = word.end;
  }
  const rest = characters.slice(position).join("");
  if (rest) pieces.push(result.truncated ? unread(rest) : rest);
  hideTip();
  $("words").replaceChildren(...pieces);
  const { low, high } = directions(result.label);
  $("legend-low").textContent = `${low} ${minus(-strongest)}`;
  $("legend-high").textContent = `${minus(strongest)} ${high}`;
  showTable(words, Object.keys(result.scores));
}

// Pieces of one word stand side by side with letters on both sides; since contributions add up, a word's is their sum.
function inWords(tokens) {
  const words = [];
  for (const token of tokens) {
    const last = words.at(-1);
    if (last && last.end === token.start && WORD_CHARACTER.test(last.lastCharacter) && WORD_CHARACTER.test(Array.from(token.text)[0])) {
      for (const [label, share] of Object.entries(token.contributions)) last.contributions[label] += share;
      last.end = token.end;
      last.known &&= token.known;
      last.lastCharacter = Array.from(token.text).at(-1);
    } else {
      const { start, end, known, contributions } = token;
      words.push({ start, end, known, contributions: { ...contributions }, lastCharacter: Array.from(token.text).at(-1) });
    }
  }
  return words;
}

// What a word adds to the positive side: its contributions weighted by the labels' polarities. Where no label has a
// polarity, what it adds to the label that won.
function worth(contributions, winner) {
  const directed = labels.filter((label) => label.polarity !== null);
  if (!directed.length) return contributions[winner];
  return directed.reduce((sum, label) => sum + label.polarity * contributions[label.name], 0);
}

function wordMark(word, number, share) {
  const known = word.known ? "" : " unknown";
  const side = share > 0 ? " for" : share < 0 ? " against" : "";
  const spoken = `${word.text}: ${minus(word.value)}${word.known ? "" : ", not in the vocabulary"}`;
  const mark = element("span", {
    className: `word${side}${known}`,
    text: word.text,
    attributes: { tabindex: number === 0 ? "0" : "-1", role: "img", "aria-label": spoken }, // one stop; arrows do the rest
  });
  mark.style.setProperty("--strength", (Math.abs(share) * STRONGEST_WASH).toFixed(3));
  mark.addEventListener("pointerenter", () => showTip(mark, word));
  mark.addEventListener("focus", () => showTip(mark, word));
  mark.addEventListener("pointerleave", hideTip);
  mark.addEventListener("blur", hideTip);
  return mark;
}

function walk(event) {
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  if (event.key === "Escape") return hideTip();
  if (!(event.key in steps)) return;
  const all = Array.from($("words").querySelectorAll(".word"));
  const here = all.indexOf(document.activeElement);
  const next = all[Math.min(Math.max(here + steps[event.key], 0), all.length - 1)];
  event.preventDefault();
  all[here]?.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
}

function showTip(anchor, word) {
  const rows = Object.entries(word.contributions).flatMap(([label, share]) => [
    element("dt", { text: label }),
    element("dd", { text: minus(share) }),
  ]);
  if (labels.some((label) => label.polarity !== null)) {
    rows.push(element("dt", { className: "total", text: "towards positive" }), element("dd", { className: "total", text: minus(word.value) }));
  }
  const tip = $("tip");
  tip.replaceChildren(element("dl", { children: rows }));
  if (!word.known) tip.append(element("p", { text: "Not, or not wholly, in the vocabulary." }));
  tip.hidden = false;
  const box = anchor.getClientRects()[0];
  const left = Math.min(Math.max(box.left + box.width / 2 - tip.offsetWidth / 2, 8), document.documentElement.clientWidth - tip.offsetWidth - 8);
  const above = box.top - tip.offsetHeight - 8;
  tip.style.left = `${left + window.scrollX}px`;
  tip.style.top = `${(above > 0 ? above : box.bottom + 8) + window.scrollY}px`;
}

function hideTip() {
  $("tip").hidden = true;
}

function showTable(words, names) {
  const row = (title, cells) => element("tr", { children: [element("th", { text: title, attributes: { scope: "row" } }), ...cells.map((number) => element("td", { text: minus(number) }))] });
  const sums = names.map((name) => words.reduce((sum, word) => sum + word.contributions[name], 0));
  const biases = names.map((name) => labels.find((label) => label.name === name)?.bias ?? 0);
  const heads = ["Word", ...names].map((name) => element("th", { text: name, attributes: { scope: "col" } }));
  $("table").replaceChildren(
    element("thead", { children: [element("tr", { children: heads })] }),
    element("tbody", { children: words.map((word) => row(word.text, names.map((name) => word.contributions[name]))) }),
    element("tfoot", { children: [row("Bias", biases), row("Logit", sums.map((sum, at) => sum + biases[at]))] }),
  );
}

// The surroundings

async function showCard() {
  const response = await fetch("v1/model");
  if (!response.ok) return;
  const card = await response.json();
  labels = card.labels;
  const { architecture: shape, limits } = card;
  const direction = shape.bidirectional ? "bidirectional " : "";
  $("card").textContent =
    `${card.name} ${card.version}: a ${shape.layers}-layer ${direction}${shape.cell.toUpperCase()} of ` +
    `${shape.hidden_size} units. Labels: ${labels.map((label) => label.name).join(", ")}. Reads up to ` +
    `${limits.max_tokens.toLocaleString("en")} tokens of a text.`;
}

function showCurl(text) {
  const body = JSON.stringify({ texts: [text], explain: true }).replaceAll("'", "'\\''");
  $("curl").textContent = `curl ${new URL("v1/predict", location.href)} \\\n  -H 'Content-Type: application/json' \\\n  -d '${body}'`;
}

async function copyCurl() {
  await navigator.clipboard.writeText($("curl").textContent);
  $("copy").textContent = "Copied";
  setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
}

// Small things

function leaning(name) {
  const polarity = labels.find((label) => label.name === name)?.polarity ?? 0;
  return polarity > 0.25 ? "positive" : polarity < -0.25 ? "negative" : "neutral";
}

function directions(winner) {
  const directed = labels.filter((label) => label.polarity !== null).sort((a, b) => a.polarity - b.polarity);
  return directed.length ? { low: directed[0].name, high: directed.at(-1).name } : { low: `not ${winner}`, high: winner };
}

function polarity(value) {
  return minus(value).replace(/\d$/, "");
}

function unread(text) {
  return element("span", { className: "unread", text });
}

function capitalised(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function element(tag, { className = "", text = "", attributes = {}, data = {}, children = [] }) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

$("text").addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(ask, PAUSE_MS);
});
$("form").addEventListener("submit", (event) => event.preventDefault());
$("words").addEventListener("keydown", walk);
for (const example of document.querySelectorAll(".examples button")) {
  example.addEventListener("click", () => {
    $("text").value = example.textContent;
    ask();
  });
}
if (navigator.clipboard) {
  $("copy").hidden = false;
  $("copy").addEventListener("click", copyCurl);
}

await showCard().catch(() => {}); // without the card the answer still comes, only without its colours
await ask();
