// Builds and changes the DOM. Text is inserted as text only: names and reasons are untrusted.

export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

// An element with attributes (an `on…` function is a listener) and children (text or elements).
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export const span = (kind, ...children) => element("span", { class: kind }, ...children);

// A link to the details of a model, at "#/models/openai:gpt-5".
export const modelLink = (key, ...children) =>
  element("a", { class: "name", href: `#/models/${encodeURIComponent(key).replaceAll("%3A", ":")}`, title: key }, ...(children.length > 0 ? children : [key]));

export function drawing(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

// A name that breaks after its punctuation only.
export function breakable(text) {
  const fragment = document.createDocumentFragment();
  for (const part of text.split(/(?<=[:/_\-.])/)) fragment.append(part, element("wbr"));
  return fragment;
}

const nodeOf = (node) => (typeof node === "string" ? byId(node) : node);

// Changes only what differs, to keep the selection, the focus and the place of a screen reader.
export function setText(target, text) {
  const node = nodeOf(target);
  if (node.textContent !== String(text)) node.textContent = text;
}

export function attr(target, name, value) {
  const node = nodeOf(target);
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

export function show(target, shown) {
  const node = nodeOf(target);
  if (node.hidden === shown) node.hidden = !shown;
}

export const on = (target, event, listener) => nodeOf(target).addEventListener(event, listener);

// Puts the nodes into this order and removes all others, without moving the focus.
export function arrange(parent, nodes) {
  const focused = document.activeElement;
  const kept = new Set(nodes);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const node of nodes) {
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
  if (focused && focused !== document.activeElement && parent.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}

// Children by key, created once and kept for as long as the key exists.
export class Keyed {
  #parent;
  #make;
  #parts = new Map();

  constructor(parent, make) {
    this.#parent = nodeOf(parent);
    this.#make = make;
  }

  // `show(part, item)` for each; returns the parts.
  draw(items, keyOf, show) {
    const parts = this.arrange(items.map(keyOf));
    parts.forEach((part, index) => show(part, items[index]));
    return parts;
  }

  arrange(keys) {
    const wanted = new Set(keys);
    for (const key of this.#parts.keys()) if (!wanted.has(key)) this.#parts.delete(key);
    const parts = [...wanted].map((key) => {
      if (!this.#parts.has(key)) this.#parts.set(key, this.#make(key));
      return this.#parts.get(key);
    });
    arrange(this.#parent, parts.map((part) => part.node));
    return parts;
  }
}
