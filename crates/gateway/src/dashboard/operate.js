// Manual overrides, each after a confirmation.

import { ApiError, key as savedKey, operate } from "./api.js";
import { byId, element, setText, show } from "./dom.js";
import { announce } from "./status.js";

const ACTIONS = {
  open: {
    title: (key) => `Open ${key}?`,
    text: "No call reaches this model any more, on any instance. Routes go on with their next model.",
    confirm: "Open it",
    done: (key) => `${key} was opened`,
  },
  close: {
    title: (key) => `Close ${key}?`,
    text: "All calls reach this model again at once, on every instance, before a probe has shown that it is well. If " +
      "it is not, its circuit opens again after a few failures.",
    confirm: "Close it",
    done: (key) => `${key} was closed`,
  },
  reset: {
    title: (key) => `Reset ${key}?`,
    text: "Its circuit is forgotten: state, failures and trips. All calls reach the model at once, on every " +
      "instance. Its history stands.",
    confirm: "Reset it",
    done: (key) => `${key} was reset`,
  },
};

// The actions for a circuit, the most likely first.
function actionsFor({ state, forced }) {
  const open = { action: "open", label: state === "CLOSED" ? "Open…" : "Keep open…" };
  const close = { action: "close", label: "Close…" };
  const reset = { action: "reset", label: "Reset…" };
  if (state === "CLOSED") return [open, reset];
  return forced ? [close, { ...open, label: "Open anew…" }, reset] : [close, open, reset];
}

// The buttons for a circuit.
export class Actions {
  #node;
  #ask;
  #shown = "";

  constructor(node, ask) {
    this.#node = node;
    this.#ask = ask;
  }

  // The first `limit` actions; none without a report. New buttons take the focus over from old ones.
  show(report, limit) {
    const actions = report ? actionsFor(report).slice(0, limit) : [];
    const shown = [report?.key, ...actions.map(({ label }) => label)].join("\n");
    if (shown === this.#shown) return;
    this.#shown = shown;
    const focused = this.#node.contains(document.activeElement);
    this.#node.replaceChildren(...actions.map(({ action, label }) => element("button", {
      type: "button",
      "data-act": action,
      "aria-label": `${label} ${report.key}`,
      onclick: () => this.#ask(action, report.key),
    }, label)));
    if (focused) this.#node.firstElementChild?.focus();
  }
}

// The result of an action without a successful response.
function errorText(error) {
  if (!(error instanceof ApiError)) return `It may have been done, since no answer came: look first. (${error.message})`;
  if (error.status < 500) return `Nothing was done: ${error.message}`;
  if (error.code === "not_shared") return `Done here; other instances hear of it when Redis is back: ${error.message}`;
  return `It may have been done, look first: ${error.message}`;
}

export class ConfirmDialog {
  #dialog = byId("question");
  #action = null;
  #key = null;
  #opener = null;

  constructor() {
    byId("question-no").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => this.#restoreFocus());
    this.#dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  open(action, key) {
    [this.#action, this.#key, this.#opener] = [action, key, document.activeElement];
    const { title, text, confirm } = ACTIONS[action];
    setText(byId("question-title"), title(key));
    setText(byId("question-words"), text);
    setText(byId("question-yes"), confirm);
    setText(byId("question-error"), "");
    show(byId("question-for"), action === "open");
    show(byId("question-key"), false);
    byId("reason-field").value = "";
    byId("admin-field").value = "";
    this.#dialog.showModal();
    byId(action === "open" ? "for-field" : "reason-field").focus();
  }

  async #submit() {
    const [action, key] = [this.#action, this.#key];
    const body = {};
    const [reason, duration] = [byId("reason-field").value.trim(), byId("for-field").value];
    if (reason) body.reason = reason;
    if (action === "open" && duration) body.for = duration;
    const adminKey = byId("admin-field").value.trim();
    byId("question-yes").disabled = true;
    setText(byId("question-error"), "");
    try {
      await operate(key, action, body, adminKey || undefined);
      // An admin key also allows inspection.
      if (adminKey) savedKey.set(adminKey);
      this.#dialog.close();
      announce(ACTIONS[action].done(key));
    } catch (error) {
      setText(byId("question-error"), errorText(error));
      if (error instanceof ApiError && error.needsOtherKey) {
        show(byId("question-key"), true);
        byId("admin-field").focus();
      }
    } finally {
      byId("question-yes").disabled = false;
    }
  }

  // Focuses the button that opened the dialog; its row may have other buttons by now.
  #restoreFocus() {
    const near = [...document.querySelectorAll("button[data-act]")].find((button) =>
      button.getAttribute("aria-label").endsWith(` ${this.#key}`));
    (this.#opener?.isConnected ? this.#opener : near)?.focus();
  }
}
