// The API key, where the service asks for one. This tab keeps it until it is closed, and sends it to this service only.

import { $, element } from "./dom.js";

const NAME = "sentiment-api-key";
let key = stored() ?? "";
let accepted = () => {}; // what is to be done once a new key was entered

// What `fetch` does, with the key if there is one. Asks for a key where none was sent or the one sent is not known.
export async function send(path, { headers = {}, ...options } = {}) {
  const sent = key;
  const response = await fetch(path, { ...options, headers: sent ? { ...headers, Authorization: `Bearer ${bytes(sent)}` } : headers });
  if (sent !== key) return response; // another key was entered meanwhile, and is asked with
  if (response.status === 401) {
    if (sent) demand("The service does not know this key. Check it, and enter it again.");
    else if ($("key").hidden) demand("This service asks for an API key."); // or it has been said already
  } else if (sent) open();
  return response;
}

export function onKey(action) {
  accepted = action;
}

// Whether calls need a key, as far as the page has found out.
export function locked() {
  return Boolean(key) || !$("key").hidden;
}

function demand(message) {
  keep("");
  $("key").hidden = false;
  $("key-forget").hidden = true;
  $("key-message").textContent = message;
  if (document.activeElement?.tagName !== "TEXTAREA" || !document.activeElement.value) $("key-input").focus(); // not away from what is being written
  hideOpenLinks();
}

function open() {
  $("key").hidden = true;
  $("key-forget").hidden = false;
  hideOpenLinks();
}

// A link cannot carry a key, so it would lead to an error.
function hideOpenLinks() {
  for (const link of document.querySelectorAll("[data-without-key]")) link.hidden = true;
}

function keep(value) {
  key = value;
  try {
    if (value) sessionStorage.setItem(NAME, value);
    else sessionStorage.removeItem(NAME);
  } catch {
    // Where the browser keeps nothing, the key lasts as long as the page.
  }
}

function stored() {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null;
  }
}

// A header holds bytes, and the service takes a key's for UTF-8.
function bytes(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

function form() {
  const made = element("form", {
    className: "key",
    attributes: { id: "key" },
    children: [
      element("p", { attributes: { id: "key-message", role: "alert" } }),
      element("label", { text: "API key", attributes: { for: "key-input" } }),
      element("input", { attributes: { id: "key-input", type: "password", autocomplete: "off", spellcheck: "false", required: "", "aria-describedby": "key-message key-kept" } }),
      element("button", { text: "Use this key", attributes: { type: "submit" } }),
      element("p", { className: "quiet", text: "Kept in this tab until it is closed, and sent to this service only.", attributes: { id: "key-kept" } }),
    ],
  });
  made.hidden = true;
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    const entered = $("key-input").value.trim();
    if (!entered) return;
    keep(entered);
    $("key-input").value = "";
    accepted();
  });
  return made;
}

function forgetting() {
  const made = element("button", { text: "Forget the key", attributes: { id: "key-forget", type: "button" } });
  made.hidden = true;
  made.addEventListener("click", () => demand("The key is forgotten. Enter one to go on."));
  return made;
}

document.querySelector("main").before(form());
document.querySelector(".masthead nav").append(forgetting());
