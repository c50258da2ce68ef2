"""OpenAI's other calls by its official SDK, each of them, at a route whose first model is dead."""

import os

import openai

client = openai.OpenAI(base_url=os.environ["GATEWAY"] + "/v1", api_key="unused", max_retries=0)
WAV, PNG = ("hello.wav", b"RIFF" * 5000), ("a.png", b"\x89PNG\r\n\x1a\n" * 500)
TEXT = "Hello from gpt-5."


def answered(raw):
    assert raw.headers["x-switchboard-model"] == "openai:gpt-5", raw.headers
    return raw.parse()


calls = client.with_raw_response
embedding = answered(calls.embeddings.create(model="planner", input="Hello")).data[0].embedding
assert "".join(chr(round(number)) for number in embedding) == TEXT, embedding
print("embeddings")

assert answered(calls.completions.create(model="planner", prompt="Hello")).choices[0].text == TEXT
chunks = list(answered(calls.completions.create(model="planner", prompt="Hello", stream=True)))
assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == TEXT, chunks
print("completions, also streamed")

assert not answered(calls.moderations.create(model="planner", input="Hello")).results[0].flagged
assert client.moderations.create(input="Hello").model == "omni-moderation-latest"
print("moderations, also without a model")

assert answered(calls.images.generate(model="planner", prompt="Hello")).data[0].b64_json
assert answered(calls.images.edit(model="planner", image=[PNG, PNG], prompt="Hello")).data[0].b64_json
assert answered(calls.images.create_variation(model="planner", image=PNG)).data[0].b64_json
events = list(answered(calls.images.generate(model="planner", prompt="Hello", stream=True, partial_images=1)))
assert [event.type for event in events] == ["image_generation.partial_image", "image_generation.completed"], events
events = list(answered(calls.images.edit(model="planner", image=PNG, prompt="Hello", stream=True)))
assert events[-1].type == "image_edit.completed", events
print("images: generated, edited, varied, also streamed")

with client.audio.speech.with_streaming_response.create(model="planner", input="Hello", voice="alloy") as speech:
    assert speech.headers["content-type"] == "audio/mpeg", speech.headers
    assert b"".join(speech.iter_bytes()).decode() == TEXT
assert client.audio.speech.create(model="planner", input="Hello", voice="alloy").content.decode() == TEXT
print("speech")

assert answered(calls.audio.transcriptions.create(model="planner", file=WAV)).text == TEXT
text = client.audio.transcriptions.create(model="planner", file=WAV, response_format="text")
assert text.strip() == TEXT, text
events = list(answered(calls.audio.transcriptions.create(model="planner", file=WAV, stream=True)))
assert events[-1].type == "transcript.text.done" and events[-1].text == TEXT, events
assert answered(calls.audio.translations.create(model="planner", file=WAV)).text == TEXT
print("transcriptions and translations, also as text and streamed")

rerank = client.post("/rerank", cast_to=object, body={"model": "planner", "query": "Hello", "documents": ["a"]})
assert rerank["results"][0]["index"] == 0, rerank
print("rerank")

for model, code in [("anthropic:claude-sonnet-5", "unsupported_api"), ("openai:fault-400", "")]:
    try:
        client.embeddings.create(model=model, input="Hello")
        raise SystemExit(f"{model} answered")
    except openai.BadRequestError as error:
        assert code in str(error.code), error
try:
    client.audio.speech.create(model="openai:fault-cut-after-2", input="Hello", voice="alloy")
    raise SystemExit("a cut speech looked whole")
except openai.APIConnectionError as error:
    print("a cut speech raises", type(error).__name__)
try:
    client.files.list()
    raise SystemExit("there are files")
except openai.NotFoundError as error:
    assert "/v1/embeddings" in error.message, error.message
print("all well")
