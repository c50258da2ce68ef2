"""Writes assertions.json: what google-auth proves a service account with, for the test of our own assertions.

    python3 -m venv venv && venv/bin/pip install google-auth==2.63.0 cryptography==50.0.2 && venv/bin/python assert.py

The keys were made for this test by `openssl genrsa`, and open nothing. They stay the same: they are read from the last run.
"""

import base64
import datetime
import json
import pathlib
import subprocess
from unittest import mock

import google.auth.version
from google.auth import _helpers
from google.oauth2 import service_account

TARGET = pathlib.Path(__file__).parent / "assertions.json"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
KEYS = {"pkcs8-2048": (2048, ()), "pkcs8-4096": (4096, ()), "pkcs1-2048": (2048, ("-traditional",))}

# name, key, email, key id, time
ROWS = [
    ("plain", "pkcs8-2048", "switchboard@a-project.iam.gserviceaccount.com", "0123456789abcdef0123456789abcdef01234567", "20260102T030405Z"),
    ("a longer key", "pkcs8-4096", "switchboard@a-project.iam.gserviceaccount.com", "89abcdef0123456789abcdef0123456789abcdef", "20261231T235959Z"),
    ("the older format of keys", "pkcs1-2048", "123456789012-compute@developer.gserviceaccount.com", "1", "20240229T000000Z"),
    ("no key id", "pkcs8-2048", "a@b.iam.gserviceaccount.com", None, "20260102T030405Z"),
    ("a domain's project", "pkcs8-2048", "a@project.example.com.iam.gserviceaccount.com", "k-1_", "20260102T030405Z"),
    ("the epoch", "pkcs8-2048", "a@b.iam.gserviceaccount.com", "k", "19700101T000000Z"),
    ("far ahead", "pkcs8-4096", "a@b.iam.gserviceaccount.com", "k", "20991231T235959Z"),
    ("quotes in a name", "pkcs1-2048", 'o"b\\c@d', 'k"1', "20260102T030405Z"),
]


def new_key(bits, options):
    made = subprocess.run(["openssl", "genrsa", *options, str(bits)], capture_output=True, check=True, text=True)
    return made.stdout


def keys():
    known = json.loads(TARGET.read_text())["keys"] if TARGET.exists() else {}
    return {name: known.get(name) or new_key(*how) for name, how in KEYS.items()}


def row(keys, name, key, email, key_id, time):
    at = datetime.datetime.strptime(time, "%Y%m%dT%H%M%SZ")
    info = {"client_email": email, "private_key_id": key_id, "private_key": keys[key], "token_uri": "https://example.com/token"}
    credentials = service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])
    with mock.patch.object(_helpers, "utcnow", return_value=at):
        assertion = credentials._make_authorization_grant_assertion().decode()
    claims = json.loads(base64.urlsafe_b64decode(assertion.split(".")[1] + "=="))
    assert claims["exp"] - claims["iat"] == 3600
    return {"name": name, "key": key, "email": email, "key_id": key_id, "unix_seconds": claims["iat"], "assertion": assertion}


keys = keys()
table = {"google-auth": google.auth.version.__version__, "keys": keys, "rows": [row(keys, *each) for each in ROWS]}
TARGET.write_text(json.dumps(table, indent=1) + "\n")
