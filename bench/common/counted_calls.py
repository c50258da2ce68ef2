"""Calls through a gateway under callgrind: what each costs in user instructions, by function.

The gateway has one worker, its circuits in memory and one client connection; the provider is this process. Each case runs
twice, with few and with many calls: the difference, divided, is a call without the start. What the gateway does by itself
meanwhile, such as looking for a new configuration each second, is measured alone and subtracted. Nobody speaks to the
gateway before it sleeps. So each event is read by itself, and a busy machine changes little.
"""
import collections
import concurrent.futures
import os
import pathlib
import re
import socket
import sys
import tempfile
import threading
import time

from common import callgrind, processes

MODEL, OPEN = "gpt-5-mini", "gpt-5"
CONFIG = f"""
[routes.well]
models = ["openai:{MODEL}", "openai:{OPEN}"]
[routes.open]
models = ["openai:{OPEN}", "openai:{MODEL}"]
"""
SHORT, LONG = 23, 63
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
CASES = {  # name: (what it is, path, model asked for, events of the stream or 0)
    "call": ("plain call", CHAT, MODEL, 0),
    "logged": ("plain call with its line in the log", CHAT, MODEL, 0),
    "routed": ("plain call by a route of two models", CHAT, "well", 0),
    "passing": ("the same, the first circuit open", CHAT, "open", 0),
    "stream": (f"stream of {SHORT} events", CHAT, MODEL, SHORT),
    "longer": (f"stream of {LONG} events", CHAT, MODEL, LONG),
    "translated": ("translated plain call", MESSAGES, f"openai:{MODEL}", 0),
    "translated_stream": (f"translated stream of {SHORT} events", MESSAGES, f"openai:{MODEL}", SHORT),
    "translated_longer": (f"translated stream of {LONG} events", MESSAGES, f"openai:{MODEL}", LONG),
}
CALLS, STREAMS = (50, 850), (15, 105)
IDLE = 1, 6
SPINS = "<std::sys::sync::mutex::futex::Mutex>::lock_contended"
COMMON = f'"id":"chatcmpl-C1dGf9Y3q7hVnUbT5rKzWm2LxPaE8","created":1754000000,"model":"{MODEL}","object":"chat.completion'
USAGE = '"usage":{"prompt_tokens":140,"completion_tokens":80,"total_tokens":220}'
ANSWER = f"""{{{COMMON}","choices":[{{"index":0,"message":{{"role":"assistant","content":"%s","refusal":null}},\
"logprobs":null,"finish_reason":"stop"}}],{USAGE},"service_tier":"default"}}"""
ANSWER = (ANSWER % ("All is well, thank you. " * 20)[:665 + len("%s") - len(ANSWER)]).encode()
EVENT = f"""data: {{{COMMON}.chunk","choices":[{{"index":0,"delta":{{%s}},"logprobs":null,"finish_reason":%s}}]}}\n\n"""


def events(length):
    """The role, the words, the end and [DONE], each as a chunk of its own."""
    words = [('"content":" word"', "null")] * (length - 3)
    for delta in [('"role":"assistant","content":""', "null"), *words, ("", '"stop"')]:
        event = EVENT % delta
        yield f"{len(event):x}\r\n{event}\r\n".encode()
    yield b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


def settle(pid):
    """Waits until no thread of the process has anything to do."""
    asleep = 0
    while asleep < 3:
        time.sleep(0.0005)
        states = (stat.read_text().rpartition(") ")[2][0] for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"))
        asleep = asleep + 1 if all(state == "S" for state in states) else 0


def receive(reader):
    """A message's head and body; no head once the connection is closed."""
    if not reader.peek():
        return b"", b""
    head, body = b"".join(iter(reader.readline, b"\r\n")), b""
    if length := re.search(rb"(?i)content-length: *(\d+)", head):
        return head, reader.read(int(length[1]))
    while size := int(reader.readline(), 16):
        body += reader.read(size + 2)[:-2]
    reader.readline()
    return head, body


def provide(listener, pid, length):
    """The provider: the same bytes to every request for MODEL, event by event if it is a stream; until the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = connection.makefile("rb")
        while (request := receive(reader))[0]:
            settle(pid)
            if f'"{MODEL}"'.encode() not in request[1]:
                connection.sendall(b"HTTP/1.1 500 Another model\r\ncontent-length: 0\r\n\r\n")
            elif not length:
                head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(ANSWER)}\r\n\r\n"
                connection.sendall(head.encode() + ANSWER)
            else:
                head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                for part in (head, *events(length)):
                    connection.sendall(part)
                    settle(pid)


def post(connection, path, body):
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    connection.sendall(f"{head}\r\n\r\n{body}".encode())
    head, content = receive(connection.makefile("rb"))
    if not head.startswith(b"HTTP/1.1 200"):
        sys.exit(f"{path} was answered {head.decode()}{content.decode()}")
    return content


def is_answer(path, content, length):
    if path == MESSAGES:
        return b'"stop_reason":"end_turn"' in content and content.count(b"event: message_stop") == min(length, 1)
    return (content.count(b"data: ") if length else len(content)) == (length or len(ANSWER))


class Run:
    """The instructions of a gateway from start to end, by function, and the seconds in which it served."""

    def __init__(self, counts, seconds):
        # How long a thread spins for a lock is no work, and another number each time.
        self.counts, self.seconds = collections.Counter({name: counts[name] for name in counts if name != SPINS}), seconds

    def without(self, other, background=collections.Counter()):
        """What this run did and the other did not, and the gateway not by itself."""
        seconds = self.seconds - other.seconds
        names = {*self.counts, *other.counts, *background}
        return Run({name: self.counts[name] - other.counts[name] - background[name] * seconds for name in names}, seconds)

    def per(self, number):
        return collections.Counter({name: count / number for name, count in self.counts.items()})


def collect(program, case, calls, idle=0):
    """A run with so many calls and so many seconds without any."""
    _, path, model, length = CASES[case]
    limit = '"max_tokens":1024,' if path == MESSAGES else ""
    request = '{"model":"%s",%s"messages":[{"role":"user","content":"%s"}]%s}' % (
        model, limit, "Hello, how are you? " * 27, ',"stream":true' if length else "")
    with tempfile.TemporaryDirectory() as work, socket.create_server(("127.0.0.1", 0)) as listener:
        pathlib.Path(work, "switchboard.toml").write_text(CONFIG)
        port, result = processes.free_port(), pathlib.Path(work, "callgrind.out")
        command = ["valgrind", "--tool=callgrind", "--dump-line=no", f"--callgrind-out-file={result}"]
        provider, log = listener.getsockname()[1], None if case == "logged" else "warn"
        environment = {"TOKIO_WORKER_THREADS": "1"} | processes.gateway_environment(provider, log=log)
        with processes.running([*command, *processes.gateway(program, port)], port, work, environment) as gateway:
            start = time.monotonic()
            threading.Thread(target=provide, args=(listener, gateway.pid, length), daemon=True).start()
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if model == "open":
                    post(connection, f"/circuits/openai:{OPEN}/open", "{}")
                for _ in range(calls):
                    settle(gateway.pid)
                    content = post(connection, path, request)
                    if not is_answer(path, content, length):
                        sys.exit(f"this is not the provider's answer: {content.decode()}")
            time.sleep(idle)
            seconds = time.monotonic() - start
        return Run(callgrind.self_counts(result), seconds)


def difference(more, less, divisor=1):
    return collections.Counter({name: (more[name] - less[name]) / divisor for name in {*more, *less}})


def calls_of(case):
    return STREAMS if CASES[case][3] else CALLS


def measure(program):
    """What is measured, by name: its description, and the instructions of each function a call or an event."""
    runs = [("call", 0, seconds) for seconds in IDLE] + [(case, calls, 0) for case in CASES for calls in calls_of(case)]
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        done = dict(zip(runs, pool.map(lambda run: collect(program, *run), runs)))
    less, more = (done["call", 0, seconds] for seconds in IDLE)
    background = more.without(less).per(more.seconds - less.seconds)
    costs = {}
    for case in CASES:
        few, many = calls_of(case)
        costs[case] = done[case, many, 0].without(done[case, few, 0], background).per(many - few)
    event = lambda longer, stream: difference(costs[longer], costs[stream], LONG - SHORT)
    return {
        "plain_call": ("plain call", costs["call"]),
        "log_line": ("its line in the log", difference(costs["logged"], costs["call"])),
        "stream": (CASES["stream"][0], costs["stream"]),
        "event": ("one event of a stream", event("longer", "stream")),
        "routed_call": (CASES["routed"][0], costs["routed"]),
        "translated_call": (CASES["translated"][0], costs["translated"]),
        "translated_stream": (CASES["translated_stream"][0], costs["translated_stream"]),
        "translated_event": ("one event of a translated stream", event("translated_longer", "translated_stream")),
        "open_circuit": ("passing over an open circuit", difference(costs["passing"], costs["routed"])),
    }
