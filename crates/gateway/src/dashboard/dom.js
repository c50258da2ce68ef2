// Builds and changes the DOM. Text is inserted as text only: names and reasons are untrusted.

export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

// An element with attributes (an `on…` function is a listener) and children (text or elements).
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

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

// Changes only what differs, to keep the selection, the focus and the place of a screen reader.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

export function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

// Puts the nodes into this order and removes all others. The focus stays where it is.
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

  // `make(key)` returns an object with a `node`.
  constructor(parent, make) {
    this.#parent = parent;
    this.#make = make;
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
