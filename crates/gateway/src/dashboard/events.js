// The event stream of the API, read with fetch, because EventSource cannot send a key.

import { ApiError, request } from "./api.js";

// The delay before a reconnect, by consecutive failures, in ms.
const RETRY_DELAYS = [300, 1000, 2000, 4000, 5000];

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
  #onEvent;
  #lastId;
  #failures = 0;
  #abort = new AbortController();
  #wake = () => {};
  // When the next attempt starts.
  retryAt = 0;
  state = "connecting";
  #onStateChange;

  // `onEvent(name, data)`, `onStateChange(error)`.
  constructor(onEvent, onStateChange) {
    this.#onEvent = onEvent;
    this.#onStateChange = onStateChange;
  }

  async run() {
    for (;;) {
      this.retryAt = 0;
      try {
        await this.#subscribe();
        this.#setState("lost");
      } catch (error) {
        this.#setState(error instanceof ApiError && error.status === 401 ? "key" : "lost", error);
      }
      await this.#waitForRetry();
    }
  }

  async #subscribe() {
    this.#abort = new AbortController();
    const headers = { accept: "text/event-stream" };
    if (this.#lastId) headers["last-event-id"] = this.#lastId;
    const response = await request("circuits/events", { headers, signal: this.#abort.signal });
    // Missed events come first, so from here on the page is up to date.
    this.#failures = 0;
    this.#setState("live");
    for await (const { name, data, id } of parse(response.body)) {
      this.#onEvent(name, JSON.parse(data));
      this.#lastId = id ?? this.#lastId;
    }
  }

  #setState(state, error) {
    this.state = state;
    this.#onStateChange(error);
  }

  // Without a key, until there is one.
  #waitForRetry() {
    const delay = RETRY_DELAYS[Math.min(this.#failures, RETRY_DELAYS.length - 1)];
    this.#failures += 1;
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (this.state === "key") return;
      this.retryAt = Date.now() + delay;
      setTimeout(resolve, delay);
    });
  }

  retryNow() {
    this.#failures = 0;
    this.#wake();
  }

  // Closes a connection that is dead without an error.
  abort() {
    this.#abort.abort();
  }

  restart() {
    this.#lastId = undefined;
    this.abort();
    this.retryNow();
  }
}
