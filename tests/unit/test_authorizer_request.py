"""The authorizer refuses each event without a valid credential, and no malformed event is a fault."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenancy.gateway.authorizer_request import parse_authorizer_request
from tenancy.rules.keys.api_keys import KeyType, generate_key
from tenancy.settings import OPTIONAL, VARIABLES
from tests.free_ports import free_port
from tests.handlers.functions import Function, running
from tests.unit.signed_tokens import CLAIMS, HEADER, sign_as_a_stranger, token

STAGE = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/v1"
NAMES = ["headers", "multiValueHeaders", "requestContext", "requestId", "methodArn", "type", "httpMethod", "path"]
HEADER_NAMES = ["Authorization", "authorization", "AUTHORIZATION", "Host", "X-Api-Key", ""]
CREDENTIALS = [
    "",
    "Bearer",
    "Basic Og==",
    "Bearer a.b.c",
    "Bearer sk_" + "a" * 49,
    f"Bearer {token({**HEADER, 'alg': ['ES256']}, CLAIMS)}",
    f"Bearer {token({**HEADER, 'alg': 'none'}, CLAIMS)}",
    f"Bearer {token({**HEADER, 'kid': None}, CLAIMS, sign_as_a_stranger)}",
    "Bearer " + "[" * 20_000,
    "B" * 100_000,
    "Bearer \ud800",
    "\0",
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.sampled_from(CREDENTIALS),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES + HEADER_NAMES) | st.text(), inner),
)
VALUES = st.sampled_from(CREDENTIALS) | ANYTHING
HEADERS = st.dictionaries(st.sampled_from(HEADER_NAMES), VALUES) | ANYTHING
MANY_HEADERS = st.dictionaries(st.sampled_from(HEADER_NAMES), st.lists(VALUES) | VALUES) | ANYTHING
EVENTS = ANYTHING | st.fixed_dictionaries(
    {},
    optional={
        "headers": HEADERS,
        "multiValueHeaders": MANY_HEADERS,
        "requestContext": st.fixed_dictionaries({}, optional={"requestId": ANYTHING}) | ANYTHING,
        "methodArn": st.sampled_from([f"{STAGE}/GET/usage", "*", "", "arn:aws:execute-api:*"]) | ANYTHING,
        "type": ANYTHING,
    },
)


@pytest.fixture(scope="module")
def authorizer() -> Iterator[Function]:
    """Start the authorizer with AWS at a port without a listener: a look-up would be no 401."""
    values = {**dict.fromkeys(set(VARIABLES) - OPTIONAL, "1"), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
    with running("authorizer", values) as started:
        yield started


def refusal_of(authorizer: Function, event: Any) -> str:  # noqa: ANN401 - any event
    with pytest.raises(Exception) as error:  # noqa: PT011 - API Gateway reads the message alone
        authorizer(event)
    return str(error.value)


@settings(max_examples=200)
@given(event=EVENTS)
def test_any_event_without_a_credential_is_unauthorized(authorizer: Function, event: object) -> None:
    assert refusal_of(authorizer, event) == "Unauthorized"


@pytest.mark.parametrize("missing", ["requestContext", "methodArn", "headers", "multiValueHeaders", "type"])
def test_missing_member_is_unauthorized(authorizer: Function, missing: str) -> None:
    event = {
        "type": "REQUEST",
        "methodArn": f"{STAGE}/GET/usage",
        "headers": {"Authorization": "Bearer x"},
        "multiValueHeaders": {"Authorization": ["Bearer x"]},
        "requestContext": {"requestId": "r"},
    }

    assert refusal_of(authorizer, {name: value for name, value in event.items() if name != missing}) == "Unauthorized"


@pytest.mark.parametrize(
    "method_arn",
    [
        None,
        7,
        "",
        "*",
        "*/*",
        "arn",
        STAGE,
        f"{STAGE}/",
        f"{STAGE}/*",
        f"x{STAGE}/GET/usage",
        f"{STAGE.replace('v1', '*')}/GET/usage",
        f"{STAGE.replace('a1b2c3d4e5', '*')}/GET/usage",
        [f"{STAGE}/GET/usage"],
    ],
    ids=str,
)
def test_good_key_for_no_stage_is_unauthorized(authorizer: Function, method_arn: object) -> None:
    """The answer would allow every API. The key is well-formed, so a look-up would fail."""
    key = generate_key(KeyType.SECRET).text

    event = {"methodArn": method_arn, "headers": {"Authorization": f"Bearer {key}"}}

    assert refusal_of(authorizer, event) == "Unauthorized"


@pytest.mark.parametrize("path", ["usage", "events", "", "organizations/0a/usage", "a\nb", "%2F"])
def test_stage_is_that_of_the_method(path: str) -> None:
    assert parse_authorizer_request({"methodArn": f"{STAGE}/GET/{path}"}).stage_arn == STAGE


@pytest.mark.parametrize("second", [None, 7, "", ["Bearer x"], {"a": "b"}], ids=str)
def test_second_value_of_any_type_counts(second: object) -> None:
    event = {"multiValueHeaders": {"Authorization": ["Bearer a", second]}, "headers": {"Authorization": "Bearer a"}}

    assert len(parse_authorizer_request(event).header_values["authorization"]) == 2
