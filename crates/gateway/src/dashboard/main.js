// The entry point: events update the state, the state is drawn on the page.

import { ApiError, circuits, history, key as savedKey } from "./api.js";
import { CircuitState } from "./circuits.js";
import { Detail } from "./detail.js";
import { byId, setText, show } from "./dom.js";
import { Feed } from "./events.js";
import { showInstances } from "./instances.js";
import { ConfirmDialog } from "./operate.js";
import { announce, showBanners, showChips, showVerdict, transitionText } from "./status.js";
import { Table } from "./table.js";
import { showTimeline } from "./timeline.js";
import { reasonText } from "./format.js";

// The interval of countdowns, in ms.
const TICK_INTERVAL = 500;

// The interval at which a visible page loads figures that change without an event (calls, latency), in ms. A missing
// response also shows that the connection is dead.
const REFRESH_INTERVAL = 5000;

const REFRESH_TIMEOUT = 4000;

// The histories that are loaded concurrently.
const HISTORY_CONCURRENCY = 4;

// The entries of a history that are loaded.
const HISTORY_LIMIT = 200;

const state = new CircuitState();
const dialog = new ConfirmDialog();
const ask = (action, key) => dialog.open(action, key);
const detail = new Detail(ask, () => draw());
const table = new Table((key) => (key === detail.key ? detail.close() : detail.open(key, state)), ask, () => draw());
const feed = new Feed(onEvent, onFeedStateChange);

// When the page was last up to date, by its own clock; 0: never.
let asOf = 0;
let lastError;
// By model, the epoch as of which its history was requested.
const requestedHistories = new Map();

function onEvent(name, data) {
  asOf = Date.now();
  if (name === "snapshot") {
    state.applySnapshot(data);
    loadHistories();
    detail.load(state);
  } else if (name === "circuit") {
    state.applyCircuit(data);
    if (data.transition) announce(transitionText(data.key, data.transition, reasonText(data.transition.reason)));
  } else if (name === "store") {
    state.store = data;
    // Histories were unavailable while Redis was unreachable.
    if (data.state === "connected") {
      loadHistories();
      detail.load(state);
    }
  }
  draw();
}

function onFeedStateChange(error) {
  lastError = error;
  if (feed.state === "key") askForKey(error);
  if (feed.state === "live") {
    show(byId("key"), false);
  }
  draw();
}

// Loads the history of each circuit that has changed in the last hour.
async function loadHistories() {
  const missing = state.missingHistories().filter(({ key, epoch }) => requestedHistories.get(key) !== epoch);
  missing.forEach(({ key, epoch }) => requestedHistories.set(key, epoch));
  const worker = async () => {
    for (let next = missing.pop(); next !== undefined; next = missing.pop()) {
      try {
        state.addTransitions(next.key, await history(next.key, HISTORY_LIMIT));
        draw();
      } catch {
        // The next snapshot retries.
        requestedHistories.delete(next.key);
      }
    }
  };
  await Promise.all(Array.from({ length: HISTORY_CONCURRENCY }, worker));
}

let refreshing = false;

async function refreshFigures() {
  if (document.hidden || feed.state !== "live" || refreshing) return;
  refreshing = true;
  const requestedAt = Date.now();
  try {
    state.applySnapshot(await circuits(AbortSignal.timeout(REFRESH_TIMEOUT)), requestedAt);
    asOf = Date.now();
    loadHistories();
    draw();
  } catch (error) {
    if (!(error instanceof ApiError)) feed.abort();
  } finally {
    refreshing = false;
  }
}

let drawing = false;

// Once a frame, for any number of events.
function draw() {
  if (drawing) return;
  drawing = true;
  const now = () => {
    drawing = false;
    drawNow();
  };
  if (document.hidden) setTimeout(now, TICK_INTERVAL);
  else requestAnimationFrame(now);
}

function drawNow() {
  const all = state.circuits();
  showChips(feed, state);
  showBanners(feed, state, asOf, lastError);
  show(byId("forget"), savedKey.get() !== "");
  show(byId("data"), state.store !== null && byId("key").hidden);
  if (state.store === null) return;
  showVerdict(all, state.now());
  table.show(all, state, detail.key);
  detail.show(state);
  showTimeline(all, state);
  showInstances(all, state, feed.state === "live");
}

function askForKey(error) {
  const wasRejected = savedKey.get() !== "";
  savedKey.remove();
  setText(byId("key-error"), wasRejected ? error.message : "");
  show(byId("key"), true);
  byId("key-field").focus();
}

byId("key").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  savedKey.set(byId("key-field").value.trim());
  byId("key-field").value = "";
  feed.restart();
});

byId("forget").addEventListener("click", () => {
  savedKey.remove();
  // A reload clears the data that the key gave access to.
  location.reload();
});

addEventListener("online", () => feed.retryNow());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  if (feed.state !== "key") feed.retryNow();
  refreshFigures();
});
setInterval(refreshFigures, REFRESH_INTERVAL);
setInterval(() => {
  if (state.isProbeDue()) refreshFigures();
  draw();
}, TICK_INTERVAL);
draw();
feed.run();
