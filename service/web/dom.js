// Small things that every part of the page needs: elements, numbers in words, colours of labels.

export const $ = (id) => document.getElementById(id);

const signedNumber = new Intl.NumberFormat("en", { minimumFractionDigits: 3, maximumFractionDigits: 3, signDisplay: "exceptZero" });
const percentage = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const twoDigits = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "exceptZero" });

export const signed = (number) => signedNumber.format(number).replace("-", "−");
export const brief = (number) => twoDigits.format(number).replace("-", "−");
export const percent = (number) => percentage.format(number);

export function element(tag, { className = "", text = "", attributes = {}, data = {}, children = [] } = {}) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

export function capitalised(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// Offsets count code points, and JavaScript's strings do not.
export function slice(text, start, end) {
  return Array.from(text).slice(start, end).join("");
}
