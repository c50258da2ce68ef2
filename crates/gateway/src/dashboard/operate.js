// A person's hand on a circuit: the question first, then the deed.

import { Refused, key as savedKey, operate } from "./api.js";
import { byId, element, setText, show } from "./dom.js";
import { announce } from "./status.js";

const ACTS = {
  open: {
    title: (key) => `Open ${key}?`,
    words: "No call reaches this model any more, on any instance. Routes go on with their next model.",
    yes: "Open it",
    done: (key) => `${key} was opened`,
  },
  close: {
    title: (key) => `Close ${key}?`,
    words: "All calls reach this model again at once, on every instance, before a probe has shown that it is well. If " +
      "it is not, its circuit opens again after a few failures.",
    yes: "Close it",
    done: (key) => `${key} was closed`,
  },
  reset: {
    title: (key) => `Reset ${key}?`,
    words: "Its circuit is forgotten: state, failures and trips. All calls reach the model at once, on every " +
      "instance. Its history stands.",
    yes: "Reset it",
    done: (key) => `${key} was reset`,
  },
};

// What can be done with a circuit, the likeliest first.
function actsFor({ state, forced }) {
  const open = { act: "open", label: state === "CLOSED" ? "Open…" : "Keep open…" };
  const close = { act: "close", label: "Close…" };
  const reset = { act: "reset", label: "Reset…" };
  if (state === "CLOSED") return [open, reset];
  return forced ? [close, { ...open, label: "Open anew…" }, reset] : [close, open, reset];
}

// The buttons for a circuit.
export class Acts {
  #node;
  #ask;
  #shown = "";

  constructor(node, ask) {
    this.#node = node;
    this.#ask = ask;
  }

  // The likeliest `most` of them; none without a report. New ones take the focus over from old ones.
  show(report, most) {
    const acts = report ? actsFor(report).slice(0, most) : [];
    const shown = [report?.key, ...acts.map(({ label }) => label)].join("\n");
    if (shown === this.#shown) return;
    this.#shown = shown;
    const focused = this.#node.contains(document.activeElement);
    this.#node.replaceChildren(...acts.map(({ act, label }) => element("button", {
      type: "button",
      "data-act": act,
      "aria-label": `${label} ${report.key}`,
      onclick: () => this.#ask(act, report.key),
    }, label)));
    if (focused) this.#node.firstElementChild?.focus();
  }
}

// What has become of a deed that was not answered with 200.
function whatIsKnown(error) {
  if (!(error instanceof Refused)) return `It may have been done, since no answer came: look first. (${error.message})`;
  if (error.status < 500) return `Nothing was done: ${error.message}`;
  if (error.code === "not_shared") return `Done here; other instances hear of it when Redis is back: ${error.message}`;
  return `It may have been done, look first: ${error.message}`;
}

export class Question {
  #dialog = byId("question");
  #act = null;
  #key = null;
  #opener = null;

  constructor() {
    byId("question-no").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => this.#back());
    this.#dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#answer();
    });
  }

  ask(act, key) {
    [this.#act, this.#key, this.#opener] = [act, key, document.activeElement];
    const { title, words, yes } = ACTS[act];
    setText(byId("question-title"), title(key));
    setText(byId("question-words"), words);
    setText(byId("question-yes"), yes);
    setText(byId("question-error"), "");
    show(byId("question-for"), act === "open");
    show(byId("question-key"), false);
    byId("reason-field").value = "";
    byId("admin-field").value = "";
    this.#dialog.showModal();
    byId(act === "open" ? "for-field" : "reason-field").focus();
  }

  async #answer() {
    const [act, key] = [this.#act, this.#key];
    const body = {};
    const [reason, duration] = [byId("reason-field").value.trim(), byId("for-field").value];
    if (reason) body.reason = reason;
    if (act === "open" && length) body.for = length;
    const admin = byId("admin-field").value.trim();
    byId("question-yes").disabled = true;
    setText(byId("question-error"), "");
    try {
      await operate(key, act, body, admin || undefined);
      // An admin key is good for looking, too.
      if (admin) savedKey.set(admin);
      this.#dialog.close();
      announce(ACTS[act].done(key));
    } catch (error) {
      setText(byId("question-error"), whatIsKnown(error));
      if (error instanceof Refused && error.wantsKey) {
        show(byId("question-key"), true);
        byId("admin-field").focus();
      }
    } finally {
      byId("question-yes").disabled = false;
    }
  }

  // To the button that asked; its row may have got other buttons meanwhile.
  #back() {
    const near = [...document.querySelectorAll("button[data-act]")].find((button) =>
      button.getAttribute("aria-label").endsWith(` ${this.#key}`));
    (this.#opener?.isConnected ? this.#opener : near)?.focus();
  }
}
