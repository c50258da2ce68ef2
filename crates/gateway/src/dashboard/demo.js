// The demo's buttons: break a provider, and heal it.

import { request } from "./api.js";
import { Keyed, attr, byId, element, setText, show } from "./dom.js";

const buttons = new Keyed("demo-buttons", (name) => {
  const node = element("button", { type: "button", class: "small", onclick: () => change(name, node) });
  return { node };
});

async function change(name, button) {
  const action = button.dataset.broken === "true" ? "heal" : "break";
  try {
    await request(`demo/providers/${encodeURIComponent(name)}/${action}`, { method: "POST" });
    setText("demo-note", action === "break" ? `${name} responds with errors now.` : `${name} responds again.`);
    attr(button, "data-broken", action === "break");
  } catch (error) {
    setText("demo-note", error.message);
  }
}

export function showDemo({ demo }) {
  const providers = demo?.providers ?? [];
  show("demo", providers.length > 0);
  buttons.draw(providers, (name) => name, ({ node }, name) => {
    const isBroken = demo.broken?.includes(name) ?? false;
    attr(node, "data-broken", isBroken);
    setText(node, `${isBroken ? "Heal" : "Break"} ${name}`);
  });
}
