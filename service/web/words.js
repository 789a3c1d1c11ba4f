// A text as words, each coloured by what it adds; the keys that walk through them, and the note beside the one in focus.

import { $, element, signed } from "./dom.js";
import { haveSides, worth } from "./labels.js";

const STRONGEST_WASH = 0.85; // the text must stay readable on the strongest colour
const WORD_CHARACTER = /[\p{L}\p{M}\p{N}'’]/u;

// Pieces of one word stand side by side with letters on both sides; since contributions add up, a word's is their sum.
export function inWords(text, result) {
  const words = [];
  for (const [row, token] of result.tokens.entries()) {
    const last = words.at(-1);
    const characters = Array.from(token.text);
    if (last && last.end === token.start && WORD_CHARACTER.test(last.text.at(-1)) && WORD_CHARACTER.test(characters[0])) {
      for (const [label, share] of Object.entries(token.contributions)) last.contributions[label] += share;
      last.end = token.end;
      last.text += token.text;
      last.known &&= token.known;
      last.rows.push(row);
    } else {
      const { start, end, known, contributions } = token;
      words.push({ start, end, known, text: token.text, contributions: { ...contributions }, rows: [row] });
    }
  }
  for (const [index, word] of words.entries()) {
    word.value = worth(word.contributions, result.label);
    word.index = index;
    word.isWord = /[\p{L}\p{N}]/u.test(word.text);
  }
  return words;
}

// The text with a mark for every word; `choose` is called with the word that is clicked.
export function paint(container, text, words, { strongest, truncated, choose }) {
  const characters = Array.from(text);
  const pieces = [];
  let position = 0;
  for (const word of words) {
    const between = characters.slice(position, word.start).join("");
    if (between) pieces.push(position === 0 && between.trim() ? unread(between) : between);
    pieces.push(mark(word, strongest, choose));
    position = word.end;
  }
  const rest = characters.slice(position).join("");
  if (rest) pieces.push(truncated ? unread(rest) : rest);
  container.replaceChildren(...pieces);
}

function mark(word, strongest, choose) {
  const share = word.value / strongest;
  const side = share > 0 ? " for" : share < 0 ? " against" : "";
  const made = element("span", {
    className: `word${side}${word.known ? "" : " unknown"}`,
    text: word.text,
    attributes: {
      role: "button",
      tabindex: word.index === 0 ? "0" : "-1", // one stop; arrows do the rest
      "aria-pressed": "false",
      "aria-label": `${word.text}: ${signed(word.value)}${word.known ? "" : ", not in the vocabulary"}`,
    },
  });
  made.style.setProperty("--strength", (Math.abs(share) * STRONGEST_WASH).toFixed(3));
  made.addEventListener("pointerenter", () => showTip(made, word));
  made.addEventListener("focus", () => showTip(made, word));
  made.addEventListener("pointerleave", hideTip);
  made.addEventListener("blur", hideTip);
  made.addEventListener("click", () => choose(word, made));
  return made;
}

function unread(text) {
  return element("span", { className: "unread", text });
}

export function walk(event) {
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    event.target.click();
  }
  if (!(event.key in steps)) return;
  const all = Array.from(event.currentTarget.querySelectorAll(".word"));
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
    element("dd", { text: signed(share) }),
  ]);
  if (haveSides()) {
    rows.push(element("dt", { className: "total", text: "towards positive" }), element("dd", { className: "total", text: signed(word.value) }));
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

export function hideTip() {
  $("tip").hidden = true;
}
