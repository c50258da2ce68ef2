"""An Open SWE instance, as far as its circuit breakers go.

The algorithm of Open SWE's ModelManager (branch v3) written anew, quirks included: GET and SETEX in two steps, two
failures in a row open, no half-open, a success closes whatever stands there, a corrupt value is a closed one, time is
the process' own. Only its timeout (180 s there) and its pace are given. It calls one model again and again, and says on
standard error, one JSON object a line, what became of each turn.
"""

import argparse
import json
import socket
import sys
import time
import urllib.error
import urllib.request

TTL_SECONDS = 86_400
FAILURE_THRESHOLD = 2


class Redis:
    """The two commands it needs, over RESP2."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.answers = self.socket.makefile("rb")

    def command(self, *words):
        words = [str(word).encode() for word in words]
        frame = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        self.socket.sendall(frame)
        line = self.answers.readline().rstrip()
        if line.startswith(b"-"):
            raise RuntimeError(line.decode())
        if not line.startswith(b"$"):
            return line[1:].decode()
        length = int(line[1:])
        return None if length < 0 else self.answers.read(length + 2)[:-2].decode()


class Breaker:
    def __init__(self, redis, model, timeout_ms):
        self.redis, self.key, self.timeout_ms = redis, f"circuit_breaker:{model}", timeout_ms

    def read(self):
        text = self.redis.command("GET", self.key)
        if text is not None:
            try:
                return json.loads(text)
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
        if state["state"] == "CLOSED":
            return True
        if state["state"] == "OPEN" and state.get("openedAt"):
            if now() - state["openedAt"] >= self.timeout_ms:
                self.close(state)
                return True
        return False

    def succeeded(self):
        self.close(self.read())

    def close(self, state):
        state["state"] = "CLOSED"
        state["failureCount"] = 0
        state.pop("openedAt", None)
        self.write(state)

    def failed(self):
        state = self.read()
        state["failureCount"] = state.get("failureCount", 0) + 1
        state["lastFailureTime"] = now()
        if state["failureCount"] >= FAILURE_THRESHOLD:
            state["state"] = "OPEN"
            state["openedAt"] = now()
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


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--redis-port", type=int, required=True)
    arguments.add_argument("--base-url", required=True)
    arguments.add_argument("--model", required=True)
    arguments.add_argument("--timeout-ms", type=int, required=True)
    arguments.add_argument("--pace-ms", type=int, required=True)
    given = arguments.parse_args()
    breaker = Breaker(Redis(given.redis_port), given.model, given.timeout_ms)
    while True:
        if not breaker.is_closed():
            turn = "refused"
        elif call(given.base_url, given.model):
            breaker.succeeded()
            turn = "ok"
        else:
            breaker.failed()
            turn = "failed"
        print(json.dumps({"at": now(), "turn": turn}), file=sys.stderr, flush=True)
        time.sleep(given.pace_ms / 1000)


main()
