"""The official Python SDKs with their own retries, straight at a provider and through the gateway: one line for each call.

FAULTS has the faults; the model `{fault}.{client}.{way}` has it. Everything runs at once, as most of the time is waiting.
"""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic
import openai

HELLO = [{"role": "user", "content": "Hello"}]
WAYS = {
    "straight": (os.environ["OPENAI"], os.environ["ANTHROPIC"]),
    "through": (os.environ["GATEWAY"] + "/v1", os.environ["GATEWAY"]),
}


def with_openai(way, model):
    client = openai.OpenAI(base_url=WAYS[way][0], api_key="unused")
    client.chat.completions.create(model=model, messages=HELLO)


def with_openai_streamed(way, model):
    client = openai.OpenAI(base_url=WAYS[way][0], api_key="unused")
    list(client.chat.completions.create(model=model, messages=HELLO, stream=True))


def with_anthropic(way, model):
    client = anthropic.Anthropic(base_url=WAYS[way][1], api_key="unused")
    client.messages.create(model=model, max_tokens=64, messages=HELLO)


CLIENTS = {
    "openai-python": with_openai,
    "openai-python-stream": with_openai_streamed,
    "anthropic-python": with_anthropic,
}


def call(job):
    fault, client, way = job
    began = time.monotonic()
    try:
        CLIENTS[client](way, f"{fault}.{client}.{way}")
        error = None
    except Exception as raised:
        error = f"{type(raised).__name__} {getattr(raised, 'status_code', '')}"
    seconds = time.monotonic() - began
    print(json.dumps({"fault": fault, "client": client, "way": way, "error": error, "seconds": seconds}), flush=True)


jobs = [(fault, client, way) for fault in os.environ["FAULTS"].split() for client in CLIENTS for way in WAYS]
with ThreadPoolExecutor(len(jobs)) as pool:
    list(pool.map(call, jobs))
