"""Gives the requests of schemathesis their tokens, and counts the replies. TOKENS says which: none, user, admin, or each."""

import atexit
import json
import os
import uuid
from collections import Counter, defaultdict

import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation

SERVICE = os.environ["SERVICE"]
ADMIN_TOKEN = os.environ["ADMIN_TOKEN"]
TOKENS = os.environ["TOKENS"]
COUNTS_FILE = os.environ["COUNTS_FILE"]

# Of the session that started last: after a login it is that of the login's user.
user_token = None
replies = defaultdict(Counter)


def start_session():
    """The token of a new user, who has no session but this one."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {ADMIN_TOKEN}"
        user = session.post(f"{SERVICE}/api/v1/users", json={"email": f"{uuid.uuid4()}@example.com"}).json()
        return session.post(f"{SERVICE}/api/v1/users/{user['id']}/sessions").json()["auth_token"]


def id_of(operation):
    return operation.definition.raw["operationId"]


def scheme_of(operation):
    """The one scheme that an operation asks for, if any: userToken or adminToken."""
    [requirement] = operation.definition.raw.get("security") or [{}]
    return next(iter(requirement), None)


def scheme_sent(operation):
    """The scheme whose token a request of this run carries."""
    asked = scheme_of(operation)
    sent = {"none": None, "user": "userToken", "admin": "adminToken", "each": asked}[TOKENS]
    return sent if asked else None


@schemathesis.auth(refresh_interval=None)
class Token:
    def get(self, case, context):
        global user_token
        scheme = scheme_sent(context.operation)
        if scheme == "userToken" and user_token is None:
            user_token = start_session()
        return {"userToken": user_token, "adminToken": ADMIN_TOKEN, None: None}[scheme]

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Lets the users exist that links lead on from: the policy refuses most passwords, and no schema knows a digest."""
    stateful = case.meta and case.meta.phase.name.value == "stateful"
    if stateful and case.meta.generation.mode.is_positive and id_of(case.operation) == "createUser":
        case.body = {"email": f"{uuid.uuid4()}@example.com", "password": str(uuid.uuid4())}


@schemathesis.hook
def after_call(context, case, response):
    global user_token
    replies[id_of(case.operation)][response.status_code] += 1
    if response.status_code < 300 and response.content.startswith(b'{"auth_token":'):
        user_token = response.json()["auth_token"]
    elif scheme_of(case.operation) == "userToken" and case.method.upper() != "GET" or response.status_code == 401:
        # It may have ended.
        user_token = None


@schemathesis.check
def only_with_the_right_token(context, response, case):
    """Without the token that an operation asks for, nothing is seen or changed."""
    asked = scheme_of(case.operation)
    elsewhere = case.method.upper() != case.operation.method.upper() or case.meta.is_negative_at(ParameterLocation.PATH)
    if asked != scheme_sent(case.operation) and not elsewhere:
        assert response.status_code == 401, f"{response.status_code} without {asked}"


@atexit.register
def write_counts():
    with open(COUNTS_FILE, "w") as file:
        json.dump(replies, file)
