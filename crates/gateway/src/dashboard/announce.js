// Announces changes to screen readers.

import { setText } from "./dom.js";

const DELAY = 300;

let pending = [];

export function announce(text) {
  pending.push(text);
  if (pending.length > 1) return;
  setTimeout(() => {
    const announced = pending.length > 4 ? [...pending.slice(0, 3), `and ${pending.length - 3} more changes`] : pending;
    pending = [];
    setText("announcer", announced.join(". "));
  }, DELAY);
}
