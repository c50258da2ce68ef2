"""Writes requests.json: what Google's and Anthropic's SDKs send to Vertex AI, for the test of our own requests.

    python3 -m venv venv && venv/bin/pip install google-genai==3.6.1 'anthropic[vertex]==2.14.0' && venv/bin/python record.py

A row has the model as its SDK's caller names it, and the request that came. Nothing is sent to Google: both call this script.
"""

import http.server
import json
import pathlib
import threading

import anthropic
import google.genai
from google.genai import types
from google.oauth2.credentials import Credentials

PROJECT, TOKEN = "the-project", "the-token"
GEMINI = '{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]},"finishReason":"STOP"}],"totalTokens":1}'
CLAUDE = '{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1},"input_tokens":1}'
MESSAGES = [{"role": "user", "content": "Hello?"}]
received = []


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        received.append((self.path, dict(self.headers.items()), body))
        streamed = "stream" in self.path
        text = GEMINI if "google" in self.path or "endpoints" in self.path else CLAUDE
        answer = (f"data: {GEMINI}\n\n" if "google" in self.path else "") if streamed else text
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if streamed else "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


def gemini(base_url, location, model, call):
    client = google.genai.Client(
        vertexai=True, project=PROJECT, location=location, credentials=Credentials(TOKEN, quota_project_id="the-quota"),
        http_options=types.HttpOptions(base_url=base_url, api_version="v1"),
    )
    if call == "generate":
        client.models.generate_content(model=model, contents="Hello?")
    elif call == "stream":
        list(client.models.generate_content_stream(model=model, contents="Hello?"))
    else:
        client.models.count_tokens(model=model, contents="Hello?")


def express(base_url, _, model, call):
    client = google.genai.Client(
        vertexai=True, api_key="the-key", http_options=types.HttpOptions(base_url=base_url, api_version="v1"),
    )
    client.models.generate_content(model=model, contents="Hello?")


def claude(base_url, location, model, call):
    client = anthropic.AnthropicVertex(region=location, project_id=PROJECT, access_token=TOKEN, base_url=f"{base_url}/v1")
    if call == "count":
        client.messages.count_tokens(model=model, messages=MESSAGES)
    else:
        stream = client.beta.messages.create(
            model=model, max_tokens=9, messages=MESSAGES, betas=["context-1m-2025-08-07"], stream=call == "stream"
        )
        if call == "stream":
            list(stream)


ROWS = [
    (gemini, "us-central1", "gemini-2.5-flash", "generate"),
    (gemini, "global", "gemini-2.5-flash", "stream"),
    (gemini, "global", "google/gemini-2.5-flash", "count"),
    (gemini, "global", "publishers/google/models/gemini-2.5-flash", "generate"),
    (gemini, "us-central1", "projects/1/locations/us-central1/endpoints/2", "generate"),
    (express, None, "gemini-2.5-flash", "generate"),
    (claude, "us-east5", "claude-sonnet-4-5@20250929", "generate"),
    (claude, "global", "claude-sonnet-5", "stream"),
    (claude, "us-east5", "claude-sonnet-4-5@20250929", "count"),
]
HEADERS = ["authorization", "x-goog-api-key", "x-goog-user-project", "anthropic-beta", "anthropic-version"]

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
rows = []
for client, location, model, call in ROWS:
    client(f"http://127.0.0.1:{server.server_port}", location, model, call)
    path, headers, body = received.pop()
    headers = {name.lower(): value for name, value in headers.items() if name.lower() in HEADERS}
    rows.append({
        "sdk": client.__name__, "location": location, "model": model, "call": call,
        "path": path, "headers": headers, "body": body,
    })
server.shutdown()
table = {"google-genai": google.genai.__version__, "anthropic": anthropic.__version__, "rows": rows}
(pathlib.Path(__file__).parent / "requests.json").write_text(json.dumps(table, indent=1) + "\n")
