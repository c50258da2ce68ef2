"""The official SDKs as callers of a gateway, their own retries off: one call for each line of standard input, many at once.

A line is a JSON object: id, sdk (openai or anthropic), model, stream, choices (OpenAI's n), leave_after (words after which
the caller leaves, if it does). A line of standard output tells what the caller got: text, or what was raised after which
text, and when.
"""

import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic
import openai

GATEWAY = os.environ["GATEWAY"]
OPENAI = openai.OpenAI(base_url=GATEWAY + "/v1", api_key="unused", max_retries=0, timeout=30)
ANTHROPIC = anthropic.Anthropic(base_url=GATEWAY, api_key="unused", max_retries=0, timeout=30)
HELLO = [{"role": "user", "content": "Hello"}]


def create(job):
    request = {"model": job["model"], "messages": HELLO, "stream": job["stream"]}
    if job["sdk"] == "anthropic":
        return ANTHROPIC.messages.with_raw_response.create(max_tokens=64, **request)
    return OPENAI.chat.completions.with_raw_response.create(n=job["choices"], **request)


def plain_text(job, answer):
    if job["sdk"] == "anthropic":
        return [answer.content[0].text]
    return [choice.message.content for choice in answer.choices]


def words(job, events):
    """The words of a stream, each with its choice."""
    for event in events:
        if job["sdk"] == "anthropic":
            if event.type == "content_block_delta":
                yield 0, event.delta.text
        else:
            for choice in event.choices:
                if choice.delta.content:
                    yield choice.index, choice.delta.content


def listen(job, stream, text):
    heard = 0
    for choice, word in words(job, stream):
        text[choice] += word
        heard += 1
        if heard == job["leave_after"]:
            stream.close()
            return


def raised(error):
    body = getattr(error, "body", None)
    told = body.get("error", body) if isinstance(body, dict) else {}
    response = getattr(error, "response", None)
    return {
        "class": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "code": str(told.get("code") or told.get("type") or ""),
        "headers": dict(response.headers) if response is not None else {},
    }


def call(job):
    text = [""] * job["choices"]
    told = {"id": job["id"], "text": text, "headers": {}, "raised": None}
    began = time.perf_counter()
    try:
        raw = create(job)
        told["headers"] = dict(raw.headers)
        if job["stream"]:
            listen(job, raw.parse(), text)
        else:
            told["text"] = plain_text(job, raw.parse())
    except (openai.OpenAIError, anthropic.AnthropicError) as error:
        told["raised"] = raised(error)
    except Exception as error:  # What is no SDK's own must not end the process, and is a finding.
        told["raised"] = {"class": repr(error), "status": None, "code": "", "headers": {}}
    told["ms"] = (time.perf_counter() - began) * 1000
    return told


def main():
    printing = threading.Lock()

    def answer(line):
        told = json.dumps(call(json.loads(line)))
        with printing:
            print(told, flush=True)

    with ThreadPoolExecutor(max_workers=64) as pool:
        for line in sys.stdin:
            pool.submit(answer, line)


main()
