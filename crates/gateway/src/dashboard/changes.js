// The changes of state in the timeline's range, to filter and to copy.

import { announce } from "./announce.js";
import { Keyed, attr, byId, element, modelLink, on, setText, show, span } from "./dom.js";
import { clock, count, reasonText } from "./format.js";
import { PHASES, phaseAfter } from "./phase.js";

const MAX_LISTED = 100;

export class Changes {
  #items = new Keyed("transitions", (id) => new Item(id.slice(id.indexOf(" ") + 1)));
  #matching = [];

  constructor(onChange) {
    on("changes-filter", "input", onChange);
    on("changes-kind", "input", onChange);
    on("copy", "click", () => this.#copy());
  }

  show(state, { from, to }) {
    const text = byId("changes-filter").value.trim().toLowerCase();
    const kind = byId("changes-kind").value;
    const all = state.between(from, to);
    this.#matching = all.filter((change) => isKind(change, kind) && sentence(change).toLowerCase().includes(text));
    const listed = this.#matching.slice(0, MAX_LISTED);
    const now = state.now();
    setText("changes-note", listed.length < all.length ? `${listed.length} of ${all.length}` : count(all.length, "event"));
    setText("changes-none", all.length === 0 ? "No state changes in this time range." : listed.length === 0 ? "No matching events." : "");
    byId("copy").disabled = this.#matching.length === 0;
    show("transitions", listed.length > 0);
    this.#items.draw(listed, ({ key, epoch }) => `${epoch} ${key}`, (item, change) => item.show(change, now));
  }

  async #copy() {
    const text = this.#matching.map(line).join("\n");
    setText("copy", (await copyText(text)) ? "Copied" : "Cannot copy");
    announce(`${count(this.#matching.length, "event")} copied`);
    setTimeout(() => setText("copy", "Copy"), 1500);
  }
}

function isKind(change, kind) {
  if (kind === "manual") return ["manual", "reset"].includes(change.reason?.kind);
  return kind === "" || change.to === kind.toUpperCase();
}

export function changeText({ from, to, reason }) {
  const { name, sign } = PHASES[phaseAfter({ to, reason })];
  const why = reasonText(reason);
  return `${PHASES[phaseAfter({ to: from })].name} → ${sign} ${name}${why && `: ${why}`}`;
}

const sentence = (change) => `${change.key} ${changeText(change)} ${change.instance ?? ""}`;

const line = (change) => `${new Date(change.at).toISOString()}  ${change.key}  ${changeText(change)}  (instance ${change.instance})`;

class Item {
  #time = element("time");
  #text = span("what");

  constructor(key) {
    this.node = element("li", {}, this.#time, element("span", {}, modelLink(key), " ", this.#text));
  }

  show(change, now) {
    setText(this.#time, clock(change.at, now));
    attr(this.#time, "title", new Date(change.at).toISOString());
    attr(this.node, "data-phase", phaseAfter(change));
    setText(this.#text, `${changeText(change)} (${change.instance})`);
  }
}

// Only secure origins have a clipboard.
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = element("textarea", { class: "unseen", "aria-hidden": "true" });
    field.value = text;
    document.body.append(field);
    const focused = document.activeElement;
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    focused?.focus();
    return done;
  }
}
