"""An Open SWE instance, as far as its circuit breakers go.

The algorithm of Open SWE's ModelManager with Redis (branch v3) written anew, quirks included: GET and SETEX in two
steps, two failures in a row open, no half-open, a success closes whatever stands there, a corrupt value is a closed one,
numbers count as JavaScript counts, time is the process' own. Only its timeout (180 s there) and its pace are given. It
calls one model again and again, and says on standard error, one JSON object a line, what became of each turn.

With --attempts 3 a turn is what Open SWE's FallbackRunnable does: three attempts at the same model, each if the circuit
allows it, and the last one's failure is recorded nowhere. original.mjs is the same around the real ModelManager.
"""

import argparse
import json
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

TTL_SECONDS = 86_400
FAILURE_THRESHOLD = 2
WATCH_SECONDS = 0.002


class Redis:
    """Commands over RESP2, from any thread."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers = self.socket.makefile("rb")
        self.lock = threading.Lock()

    def command(self, *words):
        words = [str(word).encode() for word in words]
        frame = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        with self.lock:
            self.socket.sendall(frame)
            return self.answer()

    def answer(self):
        line = self.answers.readline().rstrip()
        if line.startswith(b"-"):
            raise RuntimeError(line.decode())
        if line.startswith(b"*"):
            return [self.answer() for _ in range(int(line[1:]))]
        if not line.startswith(b"$"):
            return line[1:].decode()
        length = int(line[1:])
        return None if length < 0 else self.answers.read(length + 2)[:-2].decode()


class Breaker:
    def __init__(self, redis, model, timeout_ms):
        self.redis, self.key, self.timeout_ms = redis, f"circuit_breaker:{model}", timeout_ms

    def read(self):
        text = self.redis.command("GET", self.key)
        if text:
            try:
                # JavaScript takes an empty array for a value, Python does not.
                if (value := json.loads(text)) or value == []:
                    return value
            except ValueError:
                pass
        state = {"state": "CLOSED", "failureCount": 0, "lastFailureTime": 0}
        self.write(state)
        return state

    def write(self, state):
        text = json.dumps(state, separators=(",", ":"))
        self.redis.command("SETEX", self.key, TTL_SECONDS, text)

    def is_closed(self):
        state = self.read()
        if not isinstance(state, dict):
            return False
        if state.get("state") == "CLOSED":
            return True
        if state.get("state") == "OPEN" and state.get("openedAt"):
            if now() - state["openedAt"] >= self.timeout_ms:
                self.close(state)
                return True
        return False

    def succeeded(self):
        self.close(self.read())

    def close(self, state):
        if isinstance(state, dict):
            state["state"] = "CLOSED"
            state["failureCount"] = 0
            state.pop("openedAt", None)
        self.write(state)

    def failed(self):
        state = self.read()
        if isinstance(state, dict):
            state["lastFailureTime"] = now()
            # An absent number and one is not a number, which is stored as null; null and one is one.
            count = state["failureCount"] = (state["failureCount"] or 0) + 1 if "failureCount" in state else None
            if count is not None and count >= FAILURE_THRESHOLD:
                state["state"] = "OPEN"
                state["openedAt"] = state["lastFailureTime"]
        self.write(state)


def now():
    return int(time.time() * 1000)


def call(base_url, model):
    body = json.dumps({"model": model.split(":", 1)[1], "messages": [{"role": "user", "content": "Hello"}]})
    headers = {"content-type": "application/json", "user-agent": "open-swe"}
    request = urllib.request.Request(f"{base_url}/chat/completions", body.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()
            return True
    except (urllib.error.URLError, OSError):
        return False


def turn(breaker, given):
    outcome = "refused"
    for attempt in range(given.attempts):
        if not breaker.is_closed():
            continue
        if call(given.base_url, given.model):
            breaker.succeeded()
            outcome = "ok"
            break
        outcome = "failed"
        if given.attempts == 1 or attempt < given.attempts - 1:
            breaker.failed()
    say(outcome)


def say(outcome):
    sys.stderr.write(json.dumps({"at": now(), "turn": outcome}) + "\n")
    sys.stderr.flush()


def watch(breaker):
    """Calls nothing; says whether it may, at the beginning and at each change."""
    before = None
    while True:
        if (closed := breaker.is_closed()) != before:
            say("closed" if closed else "refused")
            before = closed
        time.sleep(WATCH_SECONDS)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--redis-port", type=int, required=True)
    arguments.add_argument("--base-url", required=True)
    arguments.add_argument("--model", required=True)
    arguments.add_argument("--timeout-ms", type=int, required=True)
    arguments.add_argument("--attempts", type=int, default=1)
    pace = arguments.add_mutually_exclusive_group(required=True)
    pace.add_argument("--pace-ms", type=int, help="one turn after the other, with this time between")
    pace.add_argument("--every-ms", type=int, help="a turn begins this often, whatever the others do")
    pace.add_argument("--watch", action="store_true", help="no calls: is the circuit closed?")
    given = arguments.parse_args()
    breaker = Breaker(Redis(given.redis_port), given.model, given.timeout_ms)
    if given.watch:
        watch(breaker)
    while given.pace_ms is not None:
        turn(breaker, given)
        time.sleep(given.pace_ms / 1000)
    while True:
        threading.Thread(target=turn, args=(breaker, given), daemon=True).start()
        time.sleep(given.every_ms / 1000)


if __name__ == "__main__":
    main()
