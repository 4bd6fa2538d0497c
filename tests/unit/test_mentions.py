"""Mentions: each part of a request that may name an organization, with all its values."""

from typing import Any

import pytest

from tenancy.gateway.http import parse_request
from tenancy.gateway.mentions import list_mentions
from tenancy.rules.resolution import MAX_MENTIONS, MentionSource

ACME = "0a000000-0000-4000-8000-00000000000a"
GLOBEX = "0b000000-0000-4000-8000-00000000000b"


def mentions(**members: Any) -> list[tuple[MentionSource, str]]:  # noqa: ANN401 - members of a Lambda event
    request = parse_request({"httpMethod": "GET", "path": "/usage", "resource": "/usage", **members})
    return [(mention.source, mention.text) for mention in list_mentions(request)]


def headers(**values: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return both forms of *values*, as API Gateway sends them.

    `headers` has the last value only.
    """
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return {"multiValueHeaders": named, "headers": {name: value[-1] for name, value in named.items()}}


def test_request_without_a_name_has_no_mention() -> None:
    assert mentions() == []
    assert mentions(**headers(Authorization=["Bearer x"], X_Forwarded_For=[GLOBEX], Origin=[GLOBEX])) == []


def test_mentions_have_a_fixed_order() -> None:
    event = {
        **headers(Host=["acme.attribution.example"], X_Forwarded_Host=["globex.example"], X_Organization_ID=[ACME]),
        "path": f"/v1/organizations/{ACME}",
        "resource": "/organizations/{organization_id}",
        "pathParameters": {"organization_id": ACME},
        "queryStringParameters": {"organization_id": ACME, "from": "2026-11-01"},
        "multiValueQueryStringParameters": {"organization_id": [ACME], "from": ["2026-11-01"]},
    }

    assert mentions(**event) == [
        (MentionSource.HEADER, ACME),
        (MentionSource.HOST, "acme.attribution.example"),
        (MentionSource.FORWARDED_HOST, "globex.example"),
        (MentionSource.PATH, ACME),
        (MentionSource.QUERY, ACME),
    ]


@pytest.mark.parametrize("name", ["X-Organization-ID", "x-organization-id", "X-ORGANIZATION-ID", "x-Organization-iD"])
def test_header_names_are_compared_in_lower_case(name: str) -> None:
    for event in ({"headers": {name: ACME}}, {"multiValueHeaders": {name: [ACME]}}):
        assert mentions(**event) == [(MentionSource.HEADER, ACME)]


@pytest.mark.parametrize(
    ("event", "texts"),
    [
        (headers(X_Organization_ID=[ACME, GLOBEX]), [ACME, GLOBEX]),
        (headers(X_Organization_ID=[ACME, ACME]), [ACME, ACME]),
        (headers(X_Organization_ID=[f"{ACME}, {GLOBEX}"]), [ACME, GLOBEX]),
        (headers(X_Organization_ID=[f"{ACME},{ACME}", GLOBEX]), [ACME, ACME, GLOBEX]),
        (headers(X_Organization_ID=[f"{ACME},"]), [ACME, ""]),
        (headers(X_Organization_ID=[""]), [""]),
        (headers(X_Organization_ID=[f" {ACME}\t"]), [ACME]),
        ({"multiValueHeaders": {"X-Organization-ID": [ACME], "x-organization-id": [GLOBEX]}}, [ACME, GLOBEX]),
        ({"headers": {"X-Organization-ID": ACME, "x-organization-id": GLOBEX}}, [ACME, GLOBEX]),
        (
            {"headers": {"X-Organization-ID": GLOBEX}, "multiValueHeaders": {"x-organization-id": [ACME]}},
            [ACME, GLOBEX],
        ),
        ({"headers": {"X-Organization-ID": ACME}, "multiValueHeaders": None}, [ACME]),
    ],
)
def test_each_value_of_a_repeated_header_is_a_mention(event: dict[str, Any], texts: list[str]) -> None:
    assert mentions(**event) == [(MentionSource.HEADER, text) for text in texts]


def test_each_host_of_several_is_a_mention() -> None:
    event = headers(Host=["a.example:443", "b.example"], X_Forwarded_Host=["c.example, d.example"])

    assert mentions(**event) == [
        (MentionSource.HOST, "a.example:443"),
        (MentionSource.HOST, "b.example"),
        (MentionSource.FORWARDED_HOST, "c.example"),
        (MentionSource.FORWARDED_HOST, "d.example"),
    ]


def test_one_mention_more_than_the_most_is_returned() -> None:
    assert MAX_MENTIONS == 100
    for number, returned in ((99, 99), (100, 100), (101, 101), (102, 101), (5_000, 101)):
        spellings = (headers(X_Forwarded_Host=["a"] * number), headers(X_Forwarded_Host=["a" + ",a" * (number - 1)]))
        assert [len(mentions(**event)) for event in spellings] == [returned, returned]


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ({"multiValueQueryStringParameters": {"organization_id": [ACME, GLOBEX]}}, [ACME, GLOBEX]),
        ({"queryStringParameters": {"organization_id": ACME}, "multiValueQueryStringParameters": None}, [ACME]),
        ({"multiValueQueryStringParameters": {"organization_id": [""]}}, [""]),
        ({"multiValueQueryStringParameters": {"organization_id": [f" {ACME}"]}}, [f" {ACME}"]),
        ({"multiValueQueryStringParameters": {"organization": [ACME], "ORGANIZATION_ID": [ACME]}}, []),
        ({"queryStringParameters": None}, []),
    ],
)
def test_each_value_of_the_query_is_a_mention(query: dict[str, Any], texts: list[str]) -> None:
    assert mentions(**query) == [(MentionSource.QUERY, text) for text in texts]


@pytest.mark.parametrize(
    ("path", "parsed", "texts"),
    [
        (f"/organizations/{ACME}/usage", ACME, [ACME]),
        (f"/v1/organizations/{ACME}/usage", ACME, [ACME]),
        (f"/organizations/{ACME}/usage", None, [ACME]),
        (f"/organizations/{GLOBEX}/usage", ACME, [ACME, GLOBEX]),
        (f"/organizations/%30{ACME[1:]}/usage", ACME, [ACME, f"%30{ACME[1:]}"]),
        ("/organizations", None, []),
    ],
)
def test_path_is_read_as_by_gateway_and_router(path: str, parsed: str | None, texts: list[str]) -> None:
    parameters = {"organization_id": parsed} if parsed else None

    found = mentions(path=path, resource="/organizations/{organization_id}/usage", pathParameters=parameters)

    assert found == [(MentionSource.PATH, text) for text in texts]


def test_other_path_parameter_is_no_mention() -> None:
    resource, parameters = "/projects/{writeKey}/settings", {"writeKey": ACME}
    assert mentions(path=f"/projects/{ACME}/settings", resource=resource, pathParameters=parameters) == []
