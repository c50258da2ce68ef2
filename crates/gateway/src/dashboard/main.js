// The entry point: events update the state, the state is drawn on the page.

import { announce } from "./announce.js";
import { ApiError, circuits, history, key as savedKey } from "./api.js";
import { Changes, changeText } from "./changes.js";
import { CircuitState } from "./circuits.js";
import { showDemo } from "./demo.js";
import { byId, on, setText, show } from "./dom.js";
import { Drawer } from "./drawer.js";
import { Feed } from "./events.js";
import { showFleet } from "./fleet.js";
import { listen } from "./keyboard.js";
import { Models } from "./models.js";
import { Actions, ConfirmDialog } from "./operate.js";
import { Routes } from "./routes.js";
import { showBanners, showChips, showTab, showVerdict } from "./status.js";
import { showTiles } from "./tiles.js";
import { Timeline } from "./timeline.js";

const TICK_INTERVAL = 500;

// A visible page loads everything anew, in ms: a missing response also shows that the connection is dead.
const REFRESH_INTERVAL = 5000;

const REFRESH_TIMEOUT = 4000;

const HISTORY_CONCURRENCY = 4;

const state = new CircuitState();
const feed = new Feed(onEvent, onFeedStateChange);
const dialog = new ConfirmDialog();
const ask = (action, key) => {
  if (feed.state === "live") dialog.open(action, key, state.role === "caller");
};
const drawer = new Drawer(new Actions("drawer-acts", ask), () => {
  draw();
  drawer.load(state).then(draw);
});
const models = new Models(() => draw());
const routes = new Routes(() => draw());
const changes = new Changes(() => draw());
const timeline = new Timeline(() => {
  loadHistories();
  draw();
});

// When the page was last up to date; 0: never.
let asOf = 0;
let lastError;
// By model: as of which epoch.
const requestedHistories = new Map();

function onEvent(name, data) {
  asOf = Date.now();
  if (name === "snapshot") {
    routes.flow(state.applySnapshot(data));
    loadAll();
  } else if (name === "traffic") {
    routes.flow(state.applyTraffic(data));
  } else if (name === "circuit") {
    state.applyCircuit(data);
    if (data.transition) tell(data.key, data.transition);
  } else if (name === "store") {
    state.store = data;
    // Histories were unavailable while Redis was unreachable.
    if (data.state === "connected") loadAll();
  }
  draw();
}

function tell(key, transition) {
  const text = changeText(transition);
  announce(`${key} went from ${text.replace(" → ", " to ")}`);
  if (transition.to === "HALF_OPEN") routes.probe(key);
}

function onFeedStateChange(error) {
  lastError = error;
  if (feed.state === "key") askForKey();
  if (feed.state === "live") show("key", false);
  draw();
}

function loadAll() {
  loadHistories();
  drawer.load(state).then(draw);
}

async function loadHistories() {
  const { from } = timeline.window(state.now());
  const missing = state.missingHistories(from).filter(({ key, epoch }) => requestedHistories.get(key) !== epoch);
  missing.forEach(({ key, epoch }) => requestedHistories.set(key, epoch));
  const worker = async () => {
    for (let next = missing.pop(); next !== undefined; next = missing.pop()) {
      try {
        state.addTransitions(next.key, await history(next.key));
        draw();
      } catch {
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
    routes.flow(state.applySnapshot(await circuits(AbortSignal.timeout(REFRESH_TIMEOUT)), requestedAt));
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
  const [isLive, isLost] = [feed.state === "live", feed.state === "lost"];
  state.lostAt = isLost ? asOf : null;
  showChips(feed, state);
  showBanners(feed, state, lastError);
  show("sign-out", savedKey.get() !== "");
  const hasData = state.store !== null && byId("key").hidden;
  show("data", hasData);
  document.documentElement.classList.toggle("lost", isLost);
  if (!hasData) {
    show("drawer", false);
    showTab(isLost ? "unknown" : "neutral", isLost ? "⚠ Disconnected" : "");
    return;
  }
  showVerdict(state);
  showTiles(state, isLive);
  showDemo(state);
  routes.show(state);
  models.show(state, drawer.key);
  timeline.show(state);
  changes.show(state, timeline.window(state.now()));
  showFleet(state);
  drawer.show(state, isLive);
}

function askForKey() {
  const wasRejected = savedKey.get() !== "";
  savedKey.remove();
  setText("key-error", wasRejected ? "Invalid API key." : "");
  show("key", true);
  byId("key-field").focus();
}

on("key-form", "submit", (event) => {
  event.preventDefault();
  savedKey.set(byId("key-field").value.trim());
  byId("key-field").value = "";
  feed.restart();
});

on("sign-out", "click", () => {
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
listen(ask, drawer);
drawer.follow();
draw();
feed.run();
