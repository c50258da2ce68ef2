"""Writes signatures.json: what botocore signs, for the test of our own signatures. Keys are those of AWS' documentation.

    python3 -m venv venv && venv/bin/pip install botocore==1.44.8 && venv/bin/python sign.py
"""

import datetime
import json
import pathlib
from unittest import mock

import botocore
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
JSON = {"content-type": "application/json"}
HAIKU = "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0"
ARN = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc123"
VIRGINIA = "bedrock-runtime.us-east-1.amazonaws.com"
HELLO = '{"messages": [{"role": "user", "content": [{"text": "x"}]}]}'
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}

# name, path, host, headers, body, session token, region, service, time
ROWS = [
    ("plain", f"{HAIKU}/invoke", VIRGINIA, JSON, '{"a":1}', None, "us-east-1", "bedrock", "20260102T030405Z"),
    ("no content type", f"{HAIKU}/invoke", VIRGINIA, {}, '{"a":1}', "TOKEN/+=", "us-east-1", "bedrock", "20260102T030405Z"),
    ("streamed", f"{HAIKU}/invoke-with-response-stream", VIRGINIA, JSON, '{"a":1}', None, "us-east-1", "bedrock", "20261231T235959Z"),
    ("a raw colon", "/model/anthropic.claude-haiku-4-5-20251001-v1:0/invoke", VIRGINIA, JSON, "{}", None, "us-east-1", "bedrock", "20260102T030405Z"),
    ("an ARN", f"{ARN}/invoke-with-response-stream", VIRGINIA, {}, '{"a":1}', "TOKEN/+=", "us-east-1", "bedrock", "20260102T030405Z"),
    ("converse", f"{ARN}/converse-stream", VIRGINIA, JSON, HELLO, "TOKEN/+=", "us-east-1", "bedrock", "20260102T030405Z"),
    ("a session token", "/model/amazon.nova-pro-v1%3A0/converse", "bedrock-runtime.eu-central-1.amazonaws.com", JSON, HELLO, "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJ+/=", "eu-central-1", "bedrock", "20240229T000000Z"),
    ("no body", "/models", VIRGINIA, {}, "", None, "us-east-1", "bedrock", "20260102T030405Z"),
    ("unicode", f"{HAIKU}/invoke", VIRGINIA, JSON, '{"text":"Grüße, 世界 \\ud83d\\ude00 😀"}', None, "us-east-1", "bedrock", "20260102T030405Z"),
    ("odd characters in a path", "/model/a%20b%2Bc%C3%A9~-_.%25/converse", VIRGINIA, JSON, "{}", None, "us-east-1", "bedrock", "20260102T030405Z"),
    ("a header with blanks", f"{HAIKU}/invoke", VIRGINIA, JSON | {"x-amzn-bedrock-guardrailidentifier": "  g-1   two  ", "x-amzn-bedrock-trace": "ENABLED"}, "{}", None, "us-east-1", "bedrock", "20260102T030405Z"),
    ("a port", "/model/m/converse", "127.0.0.1:8080", JSON, "{}", None, "ap-southeast-2", "bedrock", "20260102T030405Z"),
    ("a path before", "/prefix/model/m/converse", "gateway.example.com", JSON, "{}", None, "us-gov-west-1", "bedrock", "20260102T030405Z"),
    ("openai", "/openai/v1/chat/completions", "bedrock-runtime.us-west-2.amazonaws.com", JSON, '{"model":"openai.gpt-oss-120b-1:0"}', None, "us-west-2", "bedrock", "20260102T030405Z"),
    ("count", "/model/anthropic.claude-sonnet-5/count-tokens", VIRGINIA, JSON, '{"input":{}}', None, "us-east-1", "bedrock", "20260102T030405Z"),
    ("a role", "/", "sts.us-east-1.amazonaws.com", FORM, "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws", None, "us-east-1", "sts", "20260102T030405Z"),
]


def sign(name, path, host, headers, body, token, region, service, time):
    at = datetime.datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    method = "POST" if body else "GET"
    scheme = "http" if ":" in host else "https"
    request = AWSRequest(method=method, url=f"{scheme}://{host}{path}", headers=headers, data=body.encode())
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=at):
        botocore.auth.SigV4Auth(Credentials(KEY, SECRET, token), service, region).add_auth(request)
    assert request.headers["X-Amz-Date"] == time and request.headers.get("X-Amz-Security-Token") == token
    return {
        "name": name, "method": method, "path": path, "host": host, "headers": headers, "body": body,
        "key": KEY, "secret": SECRET, "token": token, "region": region, "service": service, "time": time,
        "authorization": request.headers["Authorization"],
    }


table = {"botocore": botocore.__version__, "rows": [sign(*row) for row in ROWS]}
target = pathlib.Path(__file__).parent / "signatures.json"
target.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n")
