"""The official Anthropic SDK against the gateway: only its base URL is changed."""

import os

import anthropic

client = anthropic.Anthropic(base_url=os.environ["GATEWAY"], api_key="unused", max_retries=0)


def request(model):
    return {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}


answer = client.messages.create(**request("anthropic:claude-opus-4-5"))
assert answer.content[0].text == "Hello from claude-opus-4-5.", answer
print("plain:", answer.content[0].text)

with client.messages.stream(**request("claude-opus-4-5")) as stream:
    text = "".join(stream.text_stream)
    message = stream.get_final_message()
assert text == "Hello from claude-opus-4-5.", text
assert message.stop_reason == "end_turn" and message.usage.output_tokens > 0, message
print("streamed:", text)

raw = client.messages.with_raw_response.create(**request("reviewer"))
assert raw.headers["x-switchboard-model"] == "anthropic:claude-opus-4-5", raw.headers
assert raw.parse().content[0].text == "Hello from claude-opus-4-5."
print("reviewer: its first model is dead, answered by", raw.headers["x-switchboard-model"])

with client.messages.stream(**request("reviewer")) as stream:
    text = "".join(stream.text_stream)
assert text == "Hello from claude-opus-4-5.", text
print("reviewer, streamed:", text)

names = {model.id for model in client.models.list()}
assert "reviewer" in names, names
print("models:", len(names))

try:
    client.messages.create(**request("anthropic:fault-400"))
    raise SystemExit("a wrong request was hidden")
except anthropic.BadRequestError as error:
    print("a wrong request raises", type(error).__name__)

try:
    with client.messages.stream(**request("anthropic:fault-cut-after-4")) as stream:
        "".join(stream.text_stream)
    raise SystemExit("a cut stream looked whole")
except anthropic.APIStatusError as error:
    print("a cut stream raises", type(error).__name__)

while True:
    try:
        client.messages.create(**request("anthropic:fault-529"))
        raise SystemExit("a dead model answered")
    except anthropic.APIStatusError as error:
        if error.response.headers.get("x-switchboard-error") == "circuit_open":
            assert int(error.response.headers["retry-after"]) >= 1, error.response.headers
            print("an open circuit raises", type(error).__name__, error.status_code)
            break
print("all well")
