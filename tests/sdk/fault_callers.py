"""The official SDKs as callers of a gateway, their own retries off: one call for each line of standard input, many at once.

A line is a JSON object: id, format (chat, responses, anthropic or gemini, or one of OpenAI's other calls), model, stream, choices (the chat format's n),
leave_after (words after which the caller leaves, if it does). A line of standard output tells what the caller got: text, or
what was raised after which text, and when. The arguments are the formats; no SDK is imported for others.
"""

import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

GATEWAY = os.environ["GATEWAY"]
HELLO = [{"role": "user", "content": "Hello"}]


class Chat:
    def __init__(self):
        import openai

        self.client = openai.OpenAI(base_url=GATEWAY + "/v1", api_key="unused", max_retries=0, timeout=30)

    def create(self, job):
        call = self.client.chat.completions.with_raw_response.create
        raw = call(model=job["model"], messages=HELLO, stream=job["stream"], n=job["choices"])
        return raw.headers, raw.parse()

    def text(self, answer):
        return [choice.message.content for choice in answer.choices]

    def words(self, chunk):
        return [(choice.index, choice.delta.content) for choice in chunk.choices if choice.delta.content]


class Responses:
    def __init__(self):
        import openai

        self.client = openai.OpenAI(base_url=GATEWAY + "/v1", api_key="unused", max_retries=0, timeout=30)

    def create(self, job):
        call = self.client.responses.with_raw_response.create
        raw = call(model=job["model"], input="Hello", stream=job["stream"])
        return raw.headers, raw.parse()

    def text(self, answer):
        return [answer.output_text]

    def words(self, event):
        return [(0, event.delta)] if event.type == "response.output_text.delta" else []


class OpenAiCall:
    """One of OpenAI's calls that are no conversation."""

    def __init__(self):
        import openai

        self.client = openai.OpenAI(base_url=GATEWAY + "/v1", api_key="unused", max_retries=0, timeout=30)

    def words(self, event):
        return []


class Embeddings(OpenAiCall):
    def create(self, job):
        raw = self.client.embeddings.with_raw_response.create(model=job["model"], input="Hello")
        return raw.headers, raw.parse()

    def text(self, answer):
        return ["".join(chr(round(number)) for number in answer.data[0].embedding)]


class Completions(OpenAiCall):
    def create(self, job):
        call = self.client.completions.with_raw_response.create
        raw = call(model=job["model"], prompt="Hello", stream=job["stream"])
        return raw.headers, raw.parse()

    def text(self, answer):
        return [choice.text for choice in answer.choices]

    def words(self, chunk):
        return [(choice.index, choice.text) for choice in chunk.choices if choice.text]


class Speech(OpenAiCall):
    def create(self, job):
        call = self.client.audio.speech.with_raw_response.create
        raw = call(model=job["model"], input="Hello", voice="alloy")
        return raw.headers, raw

    def text(self, answer):
        return [answer.content.decode()]


class Transcriptions(OpenAiCall):
    def create(self, job):
        call = self.client.audio.transcriptions.with_raw_response.create
        raw = call(model=job["model"], file=("hello.wav", b"RIFF" * 1000), stream=job["stream"])
        return raw.headers, raw.parse()

    def text(self, answer):
        return [answer.text]

    def words(self, event):
        return [(0, event.delta)] if event.type == "transcript.text.delta" else []


class Anthropic:
    def __init__(self):
        import anthropic

        self.client = anthropic.Anthropic(base_url=GATEWAY, api_key="unused", max_retries=0, timeout=30)

    def create(self, job):
        call = self.client.messages.with_raw_response.create
        raw = call(model=job["model"], messages=HELLO, stream=job["stream"], max_tokens=64)
        return raw.headers, raw.parse()

    def text(self, answer):
        return [answer.content[0].text]

    def words(self, event):
        return [(0, event.delta.text)] if event.type == "content_block_delta" else []


class Gemini:
    def __init__(self):
        from google import genai

        self.client = genai.Client(api_key="unused", http_options={"base_url": GATEWAY, "timeout": 30_000})

    def create(self, job):
        request = {"model": job["model"], "contents": "Hello"}
        if job["stream"]:
            # Its headers come with each chunk.
            return {}, self.client.models.generate_content_stream(**request)
        answer = self.client.models.generate_content(**request)
        return answer.sdk_http_response.headers, answer

    def text(self, answer):
        return [answer.text]

    def words(self, chunk):
        return [(0, chunk.text)] if chunk.text else []


KINDS = {
    "chat": Chat,
    "responses": Responses,
    "embeddings": Embeddings,
    "completions": Completions,
    "speech": Speech,
    "transcriptions": Transcriptions,
    "anthropic": Anthropic,
    "gemini": Gemini,
}
FORMATS = {name: KINDS[name]() for name in sys.argv[1:]}


def listen(job, stream, told):
    """Adds the words of a stream to its choices, until the caller leaves."""
    heard = 0
    for event in stream:
        if job["format"] == "gemini":
            told["headers"] = dict(event.sdk_http_response.headers)
        for choice, word in FORMATS[job["format"]].words(event):
            told["text"][choice] += word
            heard += 1
            if heard == job["leave_after"]:
                stream.close()
                return


def is_of_google(error):
    return type(error).__module__ == "google.genai.errors"


def code(error):
    """What programs know an error by: its code or, where it has none, its type; of Google's errors the reason or the status."""
    if is_of_google(error):
        details = error.details.get("error", {}).get("details", []) if isinstance(error.details, dict) else []
        reasons = [detail["reason"] for detail in details if "reason" in detail]
        return reasons[0] if reasons else error.status
    body = getattr(error, "body", None)
    told = body.get("error", body) if isinstance(body, dict) else {}
    details = told.get("details")
    of_details = details.get("error_code") if isinstance(details, dict) else None
    return of_details or told.get("code") or told.get("type")


def raised(error):
    if type(error).__module__.split(".")[0] not in ("openai", "anthropic", "google"):
        # What is no SDK's own must not end the process, and is a finding.
        return {"class": repr(error), "status": None, "code": "", "headers": {}}
    response = getattr(error, "response", None)
    return {
        "class": type(error).__name__,
        "status": error.code if is_of_google(error) else getattr(error, "status_code", None),
        "code": str(code(error) or ""),
        "headers": dict(response.headers) if response is not None else {},
    }


def call(job):
    told = {"id": job["id"], "text": [""] * job["choices"], "headers": {}, "raised": None}
    began = time.perf_counter()
    try:
        headers, answer = FORMATS[job["format"]].create(job)
        told["headers"] = dict(headers)
        if job["stream"]:
            listen(job, answer, told)
        else:
            told["text"] = FORMATS[job["format"]].text(answer)
    except Exception as error:
        told["raised"] = raised(error)
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
