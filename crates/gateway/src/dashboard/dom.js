// Building and changing the page. Text goes in as text and nothing else: names and reasons come from others.

export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

// An element with attributes (an `on…` function is a listener) and children (text or elements).
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function drawing(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

// Changes only what differs, so that a screen reader, a selection and the focus are left in peace.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

export function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

// Puts the nodes into this order and removes all others. What has the focus keeps it.
export function arrange(parent, nodes) {
  const focused = document.activeElement;
  const kept = new Set(nodes);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let place = parent.firstElementChild;
  for (const node of nodes) {
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  if (focused && focused !== document.activeElement && parent.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}

// Children by key, made once and kept for as long as the key is there.
export class Keyed {
  #parent;
  #make;
  #parts = new Map();

  // `make(key)` gives an object with a `node`.
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
