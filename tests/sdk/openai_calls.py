"""The official OpenAI SDK against the gateway: only its base URL is changed."""

import os

import openai

client = openai.OpenAI(base_url=os.environ["GATEWAY"] + "/v1", api_key="unused", max_retries=0)
hello = [{"role": "user", "content": "Hello"}]


def streamed(model):
    chunks = list(client.chat.completions.create(model=model, messages=hello, stream=True))
    assert chunks[-1].choices[0].finish_reason == "stop", chunks[-1]
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), len(chunks)


answer = client.chat.completions.create(model="openai:gpt-5", messages=hello)
assert answer.choices[0].message.content == "Hello from gpt-5.", answer
print("plain:", answer.choices[0].message.content)

text, chunks = streamed("gpt-5")
assert text == "Hello from gpt-5.", text
print(f"streamed in {chunks} chunks:", text)

raw = client.chat.completions.with_raw_response.create(model="planner", messages=hello)
assert raw.headers["x-switchboard-model"] == "openai:gpt-5", raw.headers
assert int(raw.headers["x-switchboard-attempts"]) >= 2, raw.headers
assert raw.parse().choices[0].message.content == "Hello from gpt-5."
print("planner: its first model is dead, answered by", raw.headers["x-switchboard-model"])

text, _ = streamed("planner")
assert text == "Hello from gpt-5.", text
print("planner, streamed:", text)

names = {model.id for model in client.models.list()}
assert {"planner", "programmer", "reviewer", "router", "summarizer"} <= names, names
print("models:", len(names))

try:
    client.chat.completions.create(model="openai:fault-401", messages=hello)
    raise SystemExit("a wrong key of the gateway's was hidden")
except openai.APIStatusError as error:
    print("a wrong key raises", type(error).__name__, error.status_code, error.code)

try:
    client.chat.completions.create(model="openai:fault-400", messages=hello)
    raise SystemExit("a wrong request was hidden")
except openai.BadRequestError as error:
    print("a wrong request raises", type(error).__name__)

try:
    list(client.chat.completions.create(model="openai:fault-cut-after-3", messages=hello, stream=True))
    raise SystemExit("a cut stream looked whole")
except openai.APIError as error:
    print("a cut stream raises", type(error).__name__, error.code)

while True:
    try:
        client.chat.completions.create(model="openai:fault-503", messages=hello)
        raise SystemExit("a dead model answered")
    except openai.InternalServerError as error:
        if error.code == "circuit_open":
            assert int(error.response.headers["retry-after"]) >= 1, error.response.headers
            print("an open circuit raises", type(error).__name__, error.code)
            break
print("all well")
