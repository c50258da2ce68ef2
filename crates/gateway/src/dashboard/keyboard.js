// Single-key shortcuts, which can be switched off.

import { announce } from "./announce.js";
import { byId, on } from "./dom.js";

const isAsking = () => document.querySelector("dialog[open]") !== null;

export function listen(ask, drawer) {
  on("help-button", "click", () => byId("help").showModal());
  on("help-close", "click", () => byId("help").close());
  const override = (action) => {
    const key = drawer.key ?? selected();
    if (key === undefined) announce("Select a model first, with j or k");
    else ask(action, key);
  };
  const actions = {
    "/": () => byId("filter").select(),
    j: () => select(1, drawer),
    k: () => select(-1, drawer),
    o: () => override("open"),
    c: () => override("close"),
    "?": () => byId("help").showModal(),
  };
  on(window, "keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isAsking()) return;
    if (event.key === "Escape") leave(event.target, drawer);
    else if (Object.hasOwn(actions, event.key) && byId("keys-setting").checked && !event.target.closest("input, select")) {
      event.preventDefault();
      actions[event.key]();
    }
  });
}

// The innermost thing: a filter, else the details. Dialogs do it themselves.
function leave(field, drawer) {
  if (field.type !== "search") {
    if (drawer.key !== null) drawer.close();
    return;
  }
  field.value = "";
  field.dispatchEvent(new Event("input"));
  field.blur();
}

const selected = () => document.activeElement?.closest("#rows tr")?.dataset.key;

// Moves to the next or previous row; open details move along.
function select(step, drawer) {
  const all = [...document.querySelectorAll("#rows .name")];
  const at = all.findIndex((name) => name.closest("tr").dataset.key === (drawer.key ?? selected()));
  const next = all[at < 0 && step < 0 ? all.length - 1 : Math.min(all.length - 1, Math.max(0, at + step))];
  if (drawer.key === null) next?.focus();
  else location.replace(next.href);
  next?.scrollIntoView({ block: "nearest" });
}
