"""No answer, log or audit entry contains a key or token of a path."""

import json
from urllib.parse import quote

import pytest

from tenancy.gateway.http import parse_request
from tenancy.gateway.serve import serve
from tenancy.rules.keys.api_keys import KeyType, generate_key
from tests.members import for_each

KEYS = {key_type: generate_key(key_type).text for key_type in KeyType}
TOKEN = "eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
SECRETS = {
    **{str(key_type): text for key_type, text in KEYS.items()},
    "token": TOKEN,
    "cut off": KEYS[KeyType.SECRET][:-1],
    "too long": KEYS[KeyType.SECRET] + "x",
    "upper case": KEYS[KeyType.SECRET].upper(),
}
PATHS = [
    *("/v1/projects/{}/settings", "/v1/organizations/{}", "/v1/organizations/{}/audit", "/v1/{}", "/v1/exports/{}"),
    *("/v1/usage/{}", "/v1/x{}", "/v1/a=b:{};c", "/v1/projects/%20{}%00/settings"),
]


@for_each("secret", SECRETS.values(), ids=SECRETS)
@for_each("path", PATHS)
def test_instance_has_no_credential_of_the_path(path: str, secret: str) -> None:
    for sent in (path.format(secret), path.format(quote(secret).replace("_", "%5F").replace(".", "%2e"))):
        request = parse_request({"path": sent, "requestContext": {"path": sent}})

        assert secret not in request.instance
        assert "…" in request.instance


def test_problem_does_not_repeat_a_secret_key_of_the_path() -> None:
    secret = KEYS[KeyType.SECRET]

    def fail(*_: object) -> dict[str, object]:
        raise LookupError

    answer = serve(fail, upgrade_url=None)({"httpMethod": "GET", "path": f"/v1/projects/{secret}/settings"}, None)

    assert secret not in json.dumps(answer)
    assert json.loads(answer["body"])["instance"] == "/v1/projects/…/settings"


@pytest.mark.parametrize("path", ["/v1/usage/ml_predictions", "/v1/organizations/%7Bid%7D", "/v1/task_list", "/v1/%zz"])
def test_path_without_a_credential_is_the_instance(path: str) -> None:
    assert parse_request({"path": path}).instance == path
