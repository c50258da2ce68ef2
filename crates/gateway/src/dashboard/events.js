// The API's event stream: read with fetch, since EventSource cannot show a key; taken up again where it broke off.

import { Refused, request } from "./api.js";

// How long until the next try, by tries that failed in a row, in ms.
const WAITS = [300, 1000, 2000, 4000, 5000];

// Splits a stream of bytes into server-sent events.
export async function* parse(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let event = { name: "message", data: [], id: undefined };
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      const lines = text.split(/\r\n|\n|\r(?!$)/);
      text = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (event.data.length > 0) yield { ...event, data: event.data.join("\n") };
          event = { name: "message", data: [], id: event.id };
          continue;
        }
        const [, field, content] = /^([^:]*):? ?(.*)$/s.exec(line);
        if (field === "event") event.name = content;
        if (field === "data") event.data.push(content);
        if (field === "id") event.id = content;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

export class Feed {
  #heard;
  #lastId;
  #failures = 0;
  #abort = new AbortController();
  #wake = () => {};
  // When the next try is, by this page's clock; 0: under way.
  retryAt = 0;
  // "connecting", "live", "lost", "key".
  state = "connecting";
  #changed;

  // `heard(name, data)` for each event, `changed()` at each change of state.
  constructor(heard, changed) {
    this.#heard = heard;
    this.#changed = changed;
  }

  async run() {
    for (;;) {
      this.retryAt = 0;
      try {
        await this.#listen();
        this.#become("lost");
      } catch (error) {
        this.#become(error instanceof Refused && error.status === 401 ? "key" : "lost", error);
      }
      await this.#pause();
    }
  }

  async #listen() {
    this.#abort = new AbortController();
    const headers = { accept: "text/event-stream" };
    if (this.#lastId) headers["last-event-id"] = this.#lastId;
    const response = await request("circuits/events", { headers, signal: this.#abort.signal });
    // What was missed comes first, so from here on the page is right.
    this.#failures = 0;
    this.#become("live");
    for await (const { name, data, id } of parse(response.body)) {
      this.#heard(name, JSON.parse(data));
      this.#lastId = id ?? this.#lastId;
    }
  }

  #become(state, error) {
    this.state = state;
    this.#changed(error);
  }

  // Until the time has come or somebody wakes it; for a key, until somebody gives one.
  #pause() {
    const wait = WAITS[Math.min(this.#failures, WAITS.length - 1)];
    this.#failures += 1;
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (this.state === "key") return;
      this.retryAt = Date.now() + wait;
      setTimeout(resolve, wait);
    });
  }

  // Tries now.
  wake() {
    this.#failures = 0;
    this.#wake();
  }

  // The connection is dead, though nothing has said so.
  breakOff() {
    this.#abort.abort();
  }

  // All over again, with another key.
  startAgain() {
    this.#lastId = undefined;
    this.breakOff();
    this.wake();
  }
}
