// The page: asks the service for the sentiment of what is typed, and shows what every word adds to it.

import { showCard, showFigures } from "./card.js";
import { showComparison } from "./comparison.js";
import { $, capitalised } from "./dom.js";
import { onKey } from "./key.js";
import { know } from "./labels.js";
import { Panel } from "./panel.js";
import { ask, card, complaint, curl, overtaken } from "./service.js";
import { close, forget, showSimilar } from "./similar.js";
import { hideTip } from "./words.js";

const PAUSE_MS = 250; // long enough not to ask at every key, short enough to feel immediate
const FIRST = "The movie was terribly exciting!";
const SECOND = "The movie was terribly boring!";

const all = ["Your text", "Another wording"].map((name) => new Panel(name, { choose: (panel, word, mark) => showSimilar(answered(), panel, word, mark) }));
const boxes = [$("text"), $("other")];
let pause = 0;

const comparing = () => $("compare").getAttribute("aria-expanded") === "true";
const shown = () => (comparing() ? all : all.slice(0, 1));
const answered = () => shown().filter((panel) => panel.result);

async function update() {
  const texts = boxes.slice(0, shown().length).map((box) => box.value.toWellFormed()); // half an emoji could not be sent
  const body = { texts, explain: true, sentences: true };
  showCurl(body);
  if (!texts.some((text) => text.trim())) return explain("Type a sentence, and its sentiment appears here.");
  $("answers").classList.add("waiting");
  try {
    show(texts, await ask("v1/predict", body));
  } catch (error) {
    if (overtaken(error)) return;
    explain(complaint(error));
  }
  showCurl(body); // whether a key is needed is known by now
  $("answers").classList.remove("waiting");
}

function showCurl(body) {
  $("curl").textContent = curl(body);
}

function show(texts, answer) {
  forget();
  hideTip();
  for (const { index, message } of answer.errors) all[index].explain(`${capitalised(message)}.`);
  for (const result of answer.results) all[result.index].take(texts[result.index], result);
  const strongest = Math.max(...answered().map((panel) => panel.strongest())); // one scale, so that colours compare
  for (const panel of answered()) panel.show(strongest);
  showComparison(shown());
}

function explain(message) {
  $("answers").classList.remove("waiting");
  forget();
  hideTip();
  for (const panel of shown()) panel.explain(message);
  showComparison(shown());
}

function compare() {
  const on = !comparing();
  $("compare").setAttribute("aria-expanded", String(on));
  $("compare").textContent = on ? "Leave the comparison" : "Compare two wordings";
  $("other-field").hidden = !on;
  $("answers").classList.toggle("two", on);
  document.body.classList.toggle("wide", on);
  if (on && !$("other").value) $("other").value = $("text").value === FIRST ? SECOND : $("text").value;
  $("answers").replaceChildren(...shown().map((panel) => panel.root));
  if (on) $("other").focus();
  update();
}

async function copyCurl() {
  await navigator.clipboard.writeText($("curl").textContent);
  $("copy").textContent = "Copied";
  setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
}

for (const box of boxes) {
  box.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(update, PAUSE_MS);
  });
}
$("form").addEventListener("submit", (event) => event.preventDefault());
$("compare").addEventListener("click", compare);
$("similar-close").addEventListener("click", close);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  hideTip();
  close();
});
for (const example of document.querySelectorAll(".examples [data-example]")) {
  example.addEventListener("click", () => {
    $("text").value = example.textContent;
    update();
  });
}
if (navigator.clipboard) {
  $("copy").hidden = false;
  $("copy").addEventListener("click", copyCurl);
}

$("card-metrics").addEventListener("toggle", async () => {
  if (!$("card-metrics").open) return;
  try {
    showFigures(await card({ evaluation: true }));
  } catch {
    $("card-metrics").open = false; // closed again, so that opening it is another try
  }
});

async function start() {
  try {
    const served = await card();
    know(served.labels);
    showCard(served);
    $("model").hidden = false;
  } catch {
    $("model").hidden = true; // without the card the answer still comes, only without its colours
  }
  await update();
}

$("answers").replaceChildren(all[0].root);
onKey(start);
await start();
