// Requests as moving dots: they leave the callers, pass models that are out, and end at the one that answered. A failed one
// comes back red, a probe is amber. All of it is text elsewhere.

import { drawing } from "./dom.js";

const SPEED = 0.26;

// Those of one report take the time until the next one, in ms.
const SPREAD = 2000;

const MAX_DOTS_PER_REPORT = 14;
const MAX_DOTS = 140;

// Around a model that is out, in pixels.
const DETOUR = 9;
const DETOUR_REACH = 18;

const calm = matchMedia("(prefers-reduced-motion: reduce)");

const dots = new Set();
let running = false;

export class Flow {
  #chain;
  #overlay = drawing("svg", { class: "flow", "aria-hidden": "true" });

  constructor(chain) {
    this.#chain = chain;
    this.node = this.#overlay;
  }

  // `stops`: whether each is out; `to`: the stop that answers first choices, and that of fallbacks.
  add({ requests, failed, fallbacks }, stops, to) {
    const shown = Math.min(requests, MAX_DOTS_PER_REPORT);
    // In proportion, spread evenly, and never without the rare ones.
    const isTurn = (part, index) => Math.ceil(((index + 1) * part) / requests) > Math.ceil((index * part) / requests);
    for (let index = 0; index < shown; index += 1) {
      const kind = isTurn(failed, index) ? "failed" : isTurn(fallbacks, index) ? "fallback" : "first";
      const target = kind === "first" ? to.first : to.fallback;
      this.#start(kind, stops, target, (SPREAD * (index + Math.random())) / shown);
    }
  }

  probe(stops, target) {
    this.#start("probe", stops, target, 0);
  }

  #start(kind, stops, target, delay) {
    if (calm.matches || document.hidden || dots.size >= MAX_DOTS) return;
    const path = this.#path(target);
    if (path === null) return;
    const node = drawing("circle", { r: kind === "probe" ? 4.5 : 3, class: kind });
    const detours = stops.map((out, index) => (out && index < target ? path.points[index + 1] : null)).filter(Boolean);
    dots.add({ node, overlay: this.#overlay, path, detours, kind, startAt: performance.now() + delay });
    if (!running) {
      running = true;
      requestAnimationFrame(move);
    }
  }

  #path(target) {
    const origin = this.#chain.getBoundingClientRect();
    const marks = [...this.#chain.querySelectorAll(".mark")].slice(0, target + 2);
    if (origin.width === 0 || marks.length < 2) return null;
    const points = marks.map((mark) => {
      const { left, top, width, height } = mark.getBoundingClientRect();
      return { x: left - origin.left + width / 2, y: top - origin.top + height / 2 };
    });
    const [first, last] = [points[0], points.at(-1)];
    return { points, first, length: Math.hypot(last.x - first.x, last.y - first.y), isRow: last.y - first.y < last.x - first.x };
  }
}

function move(time) {
  for (const dot of dots) step(dot, time);
  running = dots.size > 0;
  if (running) requestAnimationFrame(move);
}

function step(dot, time) {
  const { node, overlay, path, kind, startAt } = dot;
  if (time < startAt) return;
  if (!node.parentNode) overlay.append(node);
  let way = (time - startAt) * SPEED;
  const isBack = kind === "failed" && way > path.length;
  if (isBack) {
    node.setAttribute("class", "failed back");
    way = 2 * path.length - way;
  }
  if (way < 0 || (!isBack && way > path.length) || !node.isConnected) {
    node.remove();
    dots.delete(dot);
    return;
  }
  const { x, y } = place(dot, way);
  node.setAttribute("cx", x);
  node.setAttribute("cy", y);
}

function place({ path, detours }, way) {
  const along = path.isRow ? path.first.x + way : path.first.y + way;
  const near = detours.map((point) => Math.abs(along - (path.isRow ? point.x : point.y))).filter((distance) => distance < DETOUR_REACH);
  const aside = near.length > 0 ? DETOUR * (1 + Math.cos((Math.PI * Math.min(...near)) / DETOUR_REACH)) * 0.5 : 0;
  return path.isRow ? { x: along, y: path.first.y - aside } : { x: path.first.x - aside, y: along };
}
