// Manual overrides, each after a confirmation.

import { announce } from "./announce.js";
import { ApiError, key as savedKey, operate } from "./api.js";
import { byId, element, on, setText, show } from "./dom.js";

const ACTIONS = {
  open: {
    title: (key) => `Force ${key} open?`,
    text: "Stops sending requests to this model, on all instances. Routes continue with their next model.",
    confirm: "Force open",
  },
  close: {
    title: (key) => `Force ${key} closed?`,
    text: "Traffic resumes immediately on all instances, without a probe.",
    confirm: "Force close",
  },
  reset: {
    title: (key) => `Reset ${key}?`,
    text: "Clears state, failure counts and trips. Traffic resumes immediately on all instances. History is kept.",
    confirm: "Reset",
  },
};

function actionsFor({ state, forced }) {
  const open = { action: "open", label: "Force open…" };
  const close = { action: "close", label: "Force close…" };
  const reset = { action: "reset", label: "Reset…" };
  if (state === "CLOSED") return [open, reset];
  return forced ? [close, { ...open, label: "Extend…" }, reset] : [close, open, reset];
}

export class Actions {
  #node;
  #ask;
  #shown = "";

  constructor(node, ask) {
    this.#node = byId(node);
    this.#ask = ask;
  }

  // New buttons take the focus over from old ones.
  show(report, isEnabled) {
    const actions = report ? actionsFor(report) : [];
    const shown = [report?.key, isEnabled, ...actions.map(({ label }) => label)].join("\n");
    if (shown === this.#shown) return;
    this.#shown = shown;
    const focused = this.#node.contains(document.activeElement);
    this.#node.replaceChildren(...actions.map(({ action, label }) => element("button", {
      type: "button",
      "data-act": action,
      "aria-label": `${label} ${report.key}`,
      disabled: !isEnabled && "",
      onclick: () => this.#ask(action, report.key),
    }, label)));
    if (focused) this.#node.firstElementChild?.focus();
  }
}

function errorText(error) {
  if (!(error instanceof ApiError)) {
    return "No response – the change may or may not have been applied. Check the state before retrying.";
  }
  if (error.status < 500) return `Not applied: ${error.message}`;
  if (error.code === "not_shared") {
    return "Applied on this instance only. Redis is unreachable; other instances follow when it is back.";
  }
  return `The change may or may not have been applied. Check the state before retrying. (${error.message})`;
}

export class ConfirmDialog {
  #dialog = byId("question");
  #action = null;
  #key = null;
  #opener = null;

  constructor() {
    on("question-no", "click", () => this.#dialog.close());
    // What opened it may be another button by now.
    on("question", "close", () => (this.#opener?.isConnected ? this.#opener : byId("drawer-acts").firstElementChild)?.focus());
    on("question-form", "submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  open(action, key, needsKey) {
    [this.#action, this.#key, this.#opener] = [action, key, document.activeElement];
    const { title, text, confirm } = ACTIONS[action];
    setText("question-title", title(key));
    setText("question-words", text);
    setText("question-yes", confirm);
    setText("question-error", "");
    show("question-for", action === "open");
    show("question-key", needsKey);
    byId("reason-field").value = "";
    byId("admin-field").value = "";
    this.#dialog.showModal();
    byId(action === "open" ? "for-field" : "reason-field").focus();
  }

  async #submit() {
    const [action, key] = [this.#action, this.#key];
    const reason = byId("reason-field").value.trim() || undefined;
    const body = { reason, for: (action === "open" && byId("for-field").value) || undefined };
    const adminKey = byId("admin-field").value.trim();
    byId("question-yes").disabled = true;
    setText("question-error", "");
    try {
      await operate(key, action, body, adminKey || undefined);
      if (adminKey) savedKey.set(adminKey);
      this.#dialog.close();
      announce(`Done: ${ACTIONS[action].confirm} ${key}`);
    } catch (error) {
      setText("question-error", errorText(error));
      if ([401, 403].includes(error.status)) {
        show("question-key", true);
        byId("admin-field").focus();
      }
    } finally {
      byId("question-yes").disabled = false;
    }
  }

}
