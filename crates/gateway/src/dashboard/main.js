// Puts the page together: what is heard goes into the picture, the picture goes onto the page.

import { Refused, circuits, history, key as savedKey } from "./api.js";
import { Picture } from "./circuits.js";
import { Detail } from "./detail.js";
import { byId, setText, show } from "./dom.js";
import { Feed } from "./events.js";
import { showInstances } from "./instances.js";
import { Question } from "./operate.js";
import { announce, showBanners, showChips, showVerdict, transitionWords } from "./status.js";
import { Table } from "./table.js";
import { showTimeline } from "./timeline.js";
import { reasonWords } from "./words.js";

// Countdowns go on so often.
const TICK = 500;

// Figures that change without an event (calls now, latency) are asked for so often while somebody looks. An answer that
// does not come also shows that a connection is dead.
const FIGURES = 5000;

// An answer that takes longer will not come.
const PATIENCE = 4000;

// So many histories are asked for at a time.
const SIDE_BY_SIDE = 4;

// A history is asked for so many entries.
const ENTRIES = 200;

const picture = new Picture();
const question = new Question();
const ask = (act, key) => question.ask(act, key);
const detail = new Detail(ask, () => draw());
const table = new Table((key) => (key === detail.key ? detail.shut() : detail.open(key, picture)), ask, () => draw());
const feed = new Feed(hear, feedChanged);

// When the page was last right, by its own clock; 0: never.
let asOf = 0;
let lastError;
// By model, the epoch as of which its history was asked for.
const historiesAsked = new Map();

function hear(name, data) {
  asOf = Date.now();
  if (name === "snapshot") {
    picture.take(data);
    learnHistories();
    detail.load(picture);
  } else if (name === "circuit") {
    picture.takeCircuit(data);
    if (data.transition) announce(transitionWords(data.key, data.transition, reasonWords(data.transition.reason)));
  } else if (name === "store") {
    picture.store = data;
    // What could not be had while it was away.
    if (data.state === "connected") {
      learnHistories();
      detail.load(picture);
    }
  }
  draw();
}

function feedChanged(error) {
  lastError = error;
  if (feed.state === "key") askForKey(error);
  if (feed.state === "live") {
    show(byId("key"), false);
  }
  draw();
}

// The last hour of all circuits that have changed in it.
async function learnHistories() {
  const unknown = picture.unknownHistories().filter(({ key, epoch }) => historiesAsked.get(key) !== epoch);
  unknown.forEach(({ key, epoch }) => historiesAsked.set(key, epoch));
  const worker = async () => {
    for (let next = unknown.pop(); next !== undefined; next = unknown.pop()) {
      try {
        picture.takeHistory(next.key, await history(next.key, ENTRIES));
        draw();
      } catch {
        // The next snapshot asks again.
        historiesAsked.delete(next.key);
      }
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
}

let refreshing = false;

async function refreshFigures() {
  if (document.hidden || feed.state !== "live" || refreshing) return;
  refreshing = true;
  const asked = Date.now();
  try {
    picture.take(await circuits(AbortSignal.timeout(PATIENCE)), asked);
    asOf = Date.now();
    learnHistories();
    draw();
  } catch (error) {
    if (!(error instanceof Refused)) feed.breakOff();
  } finally {
    refreshing = false;
  }
}

let drawing = false;

// Once a frame, however much is heard.
function draw() {
  if (drawing) return;
  drawing = true;
  const now = () => {
    drawing = false;
    drawNow();
  };
  if (document.hidden) setTimeout(now, TICK);
  else requestAnimationFrame(now);
}

function drawNow() {
  const all = picture.circuits();
  showChips(feed, picture);
  showBanners(feed, picture, asOf, lastError);
  show(byId("forget"), savedKey.get() !== "");
  show(byId("data"), picture.store !== null && byId("key").hidden);
  if (picture.store === null) return;
  showVerdict(all, picture.now());
  table.show(all, picture, detail.key);
  detail.show(picture);
  showTimeline(all, picture);
  showInstances(all, picture, feed.state === "live");
}

function askForKey(error) {
  const wrong = savedKey.get() !== "";
  savedKey.forget();
  setText(byId("key-error"), wrong ? error.message : "");
  show(byId("key"), true);
  byId("key-field").focus();
}

byId("key").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  savedKey.set(byId("key-field").value.trim());
  byId("key-field").value = "";
  feed.startAgain();
});

byId("forget").addEventListener("click", () => {
  savedKey.forget();
  // What it showed goes with it.
  location.reload();
});

addEventListener("online", () => feed.wake());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  if (feed.state !== "key") feed.wake();
  refreshFigures();
});
setInterval(refreshFigures, FIGURES);
setInterval(() => {
  if (picture.isDue()) refreshFigures();
  draw();
}, TICK);
draw();
feed.run();
