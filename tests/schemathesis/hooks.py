"""What schemathesis has to be told of Jeday: how to log in, and what a schema cannot say.

Each request that needs an access token gets a session of its own, because requests end
sessions; and each a user of its own too, because requests end all of a user's and many are prepared before the first
is sent. Only sequences of requests, of which each is prepared when it is its turn, share one user: what one request
has learned is of use to the next."""

import itertools
import os

import requests
import schemathesis
from schemathesis.generation import GenerationMode
from schemathesis.generation.meta import TestPhase

URL = os.environ["JEDAY_URL"]
PASSWORD = "correct horse battery"

numbers = itertools.count()


def post(path, body, expected):
    reply = requests.post(URL + path, json=body, timeout=30)
    if reply.status_code != expected:
        raise RuntimeError(f"{path}: {reply.status_code} {reply.text}")
    return reply.json()


def new_user():
    email = f"user-{next(numbers)}@hooks.example"
    post("/auth/register", {"email": email, "username": "Ada", "password": PASSWORD}, 201)
    return email


@schemathesis.auth(refresh_interval=None)
class AccessToken:
    def __init__(self):
        self.of_sequences = None

    def get(self, case, context):
        if not context.operation.definition.raw.get("security"):
            return None
        if case.meta.phase.name != TestPhase.STATEFUL:
            email = new_user()
        else:
            email = self.of_sequences = self.of_sequences or new_user()
        return post("/auth/login", {"email": email, "password": PASSWORD}, 200)["access_token"]

    def set(self, case, token, context):
        case.headers["Authorization"] = f"Bearer {token}"


# Of what is in a request alone: which addresses IDNA takes, passwords that many people have, names that show nothing.
# Of what was sent before: an Idempotency-Key that came with another request.
BEYOND_THE_SCHEMA = {"password_too_common", "username_empty", "idempotency_key_reused"}


@schemathesis.check
def schema_says_what_it_can(ctx, response, case):
    """A request that keeps to its schema is refused for reasons only that no schema can hold."""
    if response.status_code != 422 or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    problem = response.json()
    codes = {error["code"] for error in problem.get("errors", [])} or {problem["code"]}
    others = {code for code in codes - BEYOND_THE_SCHEMA if not code.startswith("email_")}
    assert not others, f"its schema allows what is refused: {sorted(others)}"
