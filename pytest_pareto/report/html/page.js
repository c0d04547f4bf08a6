// Shared by the other scripts; page.py joins all within one function, this one first.
const byId = (id) => document.getElementById(id);
const on = (element, event, then) => element.addEventListener(event, then);
const data = JSON.parse(byId("data").textContent);
const [left, top, right, bottom] = data.box;
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const number = (element, key) => Number(element.dataset[key]);
// The number of each case within its section, in the initial order of the tables.
const caseOf = new Map();
for (const table of all("table.cases")) [...table.tBodies].forEach((body, index) => caseOf.set(body, index));
for (const dot of all(".dots > a")) {
  dot.classList.add("dot");
  caseOf.set(dot, caseOf.get(byId(dot.getAttribute("href").slice(1))));
}

const make = (name, attributes = {}, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
};
const button = (text, className) => {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = text;
  if (className) element.className = className;
  return element;
};
