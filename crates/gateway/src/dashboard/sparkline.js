// A small chart of the last 15 minutes. Buckets without data are blank.

import { attr, drawing, element, setText, span } from "./dom.js";
import { MAX_BUCKETS } from "./traffic.js";

const HEIGHT = 24;

export class Sparkline {
  #area = drawing("path", { class: "area" });
  #line = drawing("path", { class: "curve" });

  // `kind`: "line" for levels, "bars" for what should not happen.
  constructor(kind, tone) {
    this.kind = kind;
    this.node = drawing("svg", {
      class: `spark ${tone}`,
      viewBox: `0 0 ${MAX_BUCKETS} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
    }, this.#area, this.#line);
  }

  // `top`: the value at full height, at least.
  show(values, label, top = 0) {
    const all = (values ?? []).slice(-MAX_BUCKETS);
    const highest = Math.max(top, ...all.map((value) => value ?? 0), 1e-9);
    const points = all.map((value, index) =>
      ({ x: MAX_BUCKETS - all.length + index, y: value === null ? null : HEIGHT - 1 - (value / highest) * (HEIGHT - 3), value }));
    attr(this.node, "aria-label", label);
    attr(this.#area, "d", this.kind === "bars" ? bars(points) : areas(points));
    attr(this.#line, "d", this.kind === "bars" ? "" : lines(points));
  }
}

// A named figure, with its chart below.
export class Figure {
  #name;
  #value = span("value");
  #note = span("quiet");
  #spark;

  constructor([name, kind, tone, title]) {
    this.#name = name;
    this.#spark = new Sparkline(kind, tone);
    this.node = element("div", { class: "figure", title },
      element("dt", {}, name), element("dd", {}, this.#value, " ", this.#note), element("dd", {}, this.#spark.node));
  }

  show({ text = "–", note = "", values, top, tone = "unknown" }) {
    setText(this.#value, text);
    setText(this.#note, note);
    attr(this.node, "data-tone", tone);
    this.#spark.show(values, `${this.#name}, last 15 minutes`, top);
  }
}

const fixed = (number) => Math.round(number * 100) / 100;

const bars = (points) => points.filter(({ value }) => value > 0)
  .map(({ x, y }) => `M${x} ${HEIGHT}V${fixed(Math.min(y, HEIGHT - 3))}h.8V${HEIGHT}Z`).join("");

function runs(points) {
  const found = [[]];
  for (const point of points) {
    if (point.y === null) found.push([]);
    else found.at(-1).push(point);
  }
  return found.filter((run) => run.length > 0);
}

const path = (run) => run.map(({ x, y }) => `${fixed(x)} ${fixed(y)}h1`).join("L");

const lines = (points) => runs(points).map((run) => `M${path(run)}`).join("");

const areas = (points) => runs(points)
  .map((run) => `M${run[0].x} ${HEIGHT}L${path(run)}V${HEIGHT}Z`).join("");
