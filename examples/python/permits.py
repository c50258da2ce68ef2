"""An application that calls its providers itself and uses Switchboard's circuits: acquire a permit, call, report the outcome.

    SWITCHBOARD=http://127.0.0.1:4100 PROVIDER=https://api.openai.com/v1 MODELS=openai:gpt-5.4,openai:gpt-5.4-mini \
        python3 permits.py

Needs only Python 3.9.
"""

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request

SWITCHBOARD = os.environ.get("SWITCHBOARD", "http://127.0.0.1:4100")
PROVIDER = os.environ.get("PROVIDER", "https://api.openai.com/v1")
MODELS = os.environ.get("MODELS", "openai:gpt-5.4,openai:gpt-5.4-mini").split(",")
CALLS = int(os.environ.get("CALLS", "1"))

# No response, or not a valid one.
NO_RESPONSE = (OSError, ValueError, http.client.HTTPException)


class CircuitOpen(Exception):
    """The circuit of the model is open."""


def post(url, body, key, timeout):
    headers = {"content-type": "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=timeout) as response:
        text = response.read()
    return json.loads(text) if text else None


def permits_url(model):
    return f"{SWITCHBOARD}/circuits/{urllib.parse.quote(model, safe='')}/permits"


def acquire_permit(model):
    """A permit for one call of this model. None: Switchboard is unreachable, so the call is made without a permit."""
    try:
        return post(permits_url(model), {"for": "60s"}, os.environ.get("SWITCHBOARD_API_KEY"), 2)
    except urllib.error.HTTPError as error:
        if error.code == 503 and error.headers.get("x-switchboard-error") == "circuit_open":
            wait = error.headers.get("retry-after")
            until = f"retry in {wait} s" if wait else "until closed manually"
            raise CircuitOpen(f"circuit open, {until}") from None
        return None
    except NO_RESPONSE:
        return None


def report_outcome(permit, outcome):
    """Reports how the call ended. A lost report is harmless: the permit expires."""
    if permit is None:
        return
    try:
        post(f"{permits_url(permit['key'])}/{permit['permit']}", outcome, os.environ.get("SWITCHBOARD_API_KEY"), 2)
    except NO_RESPONSE:
        pass


def call(model, prompt):
    body = {"model": model.split(":", 1)[1], "messages": [{"role": "user", "content": prompt}]}
    response = post(f"{PROVIDER}/chat/completions", body, os.environ.get("OPENAI_API_KEY"), 50)
    return response["choices"][0]["message"]["content"]


def error_fields(error):
    """The provider's error type and code, by which Switchboard distinguishes an exhausted quota from a rate limit."""
    try:
        fields = json.loads(error.read())["error"]
        return {name: fields[name] for name in ("type", "code") if isinstance(fields.get(name), str)}
    except (*NO_RESPONSE, LookupError, TypeError, AttributeError):
        return {}


def outcome_of(error):
    if isinstance(error, urllib.error.HTTPError):
        outcome = {"outcome": "failure", "status": error.code, **error_fields(error)}
        wait = error.headers.get("retry-after", "")
        return {**outcome, "retryAfter": f"{wait}s"} if wait.isdecimal() else outcome
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return {"outcome": "failure", "kind": "timeout"}
    if isinstance(error, OSError):
        return {"outcome": "failure", "kind": "connection"}
    return {"outcome": "failure", "kind": "invalid"}


def complete(prompt):
    """Calls the models in order until one responds."""
    skipped = []
    for model in MODELS:
        try:
            permit = acquire_permit(model)
        except CircuitOpen as error:
            skipped.append(f"{model}: {error}")
            continue
        try:
            text = call(model, prompt)
        except (*NO_RESPONSE, LookupError) as error:
            report_outcome(permit, outcome_of(error))
            skipped.append(f"{model}: {error}")
        else:
            report_outcome(permit, {"outcome": "success"})
            return model, text
    raise RuntimeError(f"no model answered: {'; '.join(skipped)}")


if __name__ == "__main__":
    for number in range(1, CALLS + 1):
        model, _ = complete("Say hello.")
        print(f"call {number}: answered by {model}")
