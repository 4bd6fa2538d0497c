"""Reads from a replica over the API, and `X-Read-After`."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import pytest

from scripts.tcp_proxy import tcp_proxy
from tenancy.gateway.nearest_reads import is_nearest
from tenancy.rules.read_tokens import format_time_token
from tenancy.use_cases.organizations.provision import Provisioned
from tests.free_ports import free_port
from tests.given import REGION, Databases, tenant_of
from tests.handlers.functions import Function, LogLines, Start
from tests.handlers.requests import OPERATOR, Answer, Event, answer_of, called_by, sample, with_headers, with_path
from tests.streaming_replica import StreamingReplica

PREDICTIONS = "ml_predictions"
OLD_TOKEN = format_time_token(datetime(2026, 1, 1, tzinfo=UTC))
NEAREST_ROUTES = {
    "audit": ["/audit", "/organizations/<organization_id>/audit"],
    "privacy": ["/erasures", "/erasures/<erasure_id>"],
    "usage": [
        "/events",
        "/organizations/<organization_id>/stats",
        "/organizations/<organization_id>/usage",
        "/organizations/current",
        "/stats",
        "/usage",
    ],
}


@pytest.fixture
def near(start: Start, secrets: None, replica: StreamingReplica, acme: Provisioned, globex: Provisioned) -> Function:  # noqa: ARG001
    """The function `usage` with a replica that has both organizations."""
    replica.catch_up()
    return start("usage", REPLICA_ADDRESS=f"127.0.0.1:{replica.port}")


def request_of(case: str, provisioned: Provisioned, token: str | None = None, *, function: str = "usage") -> Event:
    return with_headers(called_by(sample(function, case), tenant_of(provisioned)), x_read_after=token)


def erasure_request(provisioned: Provisioned, erasure_id: str) -> Event:
    named = with_path(sample("privacy", "read_erasure"), f"/erasures/{erasure_id}", "/erasures/{erasure_id}")
    return called_by({**named, "pathParameters": {"erasure_id": erasure_id}}, tenant_of(provisioned))


def predictions_in(answer: Answer) -> int:
    assert answer.status == 200
    used: int = answer.document["quotas"][PREDICTIONS]["used"]
    return used


@contextmanager
def one_write_behind(near: Function, replica: StreamingReplica, provisioned: Provisioned) -> Iterator[str]:
    """Report usage that the replica does not have yet, and yield the token of the answer."""
    with replica.paused():
        written = answer_of(near(request_of("report_predictions", provisioned)))
        assert written.status == 200
        yield written.headers["x-read-after"]


def test_read_shows_an_own_write_only_with_its_token(
    near: Function, replica: StreamingReplica, acme: Provisioned, logged: LogLines
) -> None:
    with one_write_behind(near, replica, acme) as token:
        without = predictions_in(answer_of(near(request_of("usage", acme))))
        with_token = predictions_in(answer_of(near(request_of("usage", acme, token))))
    caught_up = predictions_in(answer_of(near(request_of("usage", acme, token))))

    assert (without, with_token > 0, caught_up) == (0, True, with_token)
    lines = [line["read_from"] for line in logged() if "read_from" in line]
    assert lines == ["replica", "primary", "replica"]


def test_new_thing_is_found_without_a_token(
    start: Start,
    secrets: None,  # noqa: ARG001
    replica: StreamingReplica,
    acme: Provisioned,
    logged: LogLines,
) -> None:
    privacy = start("privacy", REPLICA_ADDRESS=f"127.0.0.1:{replica.port}")
    replica.catch_up()
    with replica.paused():
        erasure = answer_of(privacy(request_of("erase_user", acme, function="privacy"))).document

        answer = answer_of(privacy(erasure_request(acme, erasure["id"])))

    assert (answer.status, answer.document["id"]) == (200, erasure["id"])
    assert [line["read_from"] for line in logged() if "read_from" in line] == ["primary"]


def test_token_shows_no_position(near: Function, acme: Provisioned, globex: Provisioned) -> None:
    """The token after the same write of another organization, or of the same one, has no part in common."""
    tokens = [
        answer_of(near(request_of("report_predictions", each))).headers["x-read-after"] for each in (acme, acme, globex)
    ]

    assert {token[0] for token in tokens} == {"p"}
    assert len({token[1:17] for token in tokens}) == 3  # the nonce; what follows is encrypted
    assert {len(token) for token in tokens} == {60}


def test_token_of_another_organization_costs_the_replica_only(
    near: Function, replica: StreamingReplica, acme: Provisioned, globex: Provisioned, logged: LogLines
) -> None:
    with one_write_behind(near, replica, acme) as token:
        answers = [
            answer_of(near(request_of("usage", globex, each)))
            for each in (token, "", "p", "x" * 500, "tAA", "ü", f"{OLD_TOKEN},", ", ".join([OLD_TOKEN] * 21))
        ]

    assert {predictions_in(each) for each in answers} == {0}
    assert {line["read_from"] for line in logged() if "read_from" in line} == {"primary"}


def test_several_tokens_are_awaited_in_any_order(
    near: Function, replica: StreamingReplica, acme: Provisioned, logged: LogLines
) -> None:
    """Answers of concurrent writes may arrive in any order.

    `fetch` joins headers by commas.
    """
    replica.catch_up()
    earlier = answer_of(near(request_of("report_predictions", acme))).headers["x-read-after"]
    replica.catch_up()
    with one_write_behind(near, replica, acme) as token:
        for tokens in (f"{token}, {earlier}", f"{earlier},{token}", f"{earlier}, {OLD_TOKEN}"):
            answer_of(near(request_of("usage", acme, tokens)))

    assert [line["read_from"] for line in logged() if "read_from" in line] == ["primary", "primary", "replica"]


def test_write_without_a_position_is_answered(
    near: Function, databases: Databases, acme: Provisioned, logged: LogLines
) -> None:
    """The write is committed when its token is made."""
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as admin:
        admin.execute("REVOKE EXECUTE ON FUNCTION pg_current_wal_insert_lsn FROM PUBLIC")
        try:
            written = answer_of(near(request_of("report_predictions", acme)))
        finally:
            admin.execute("GRANT EXECUTE ON FUNCTION pg_current_wal_insert_lsn TO PUBLIC")

    assert (written.status, written.headers["x-read-after"][0]) == (200, "t")
    assert [line["error"] for line in logged() if "error" in line] == ["InsufficientPrivilege"]


def test_organizations_see_their_own_rows_on_the_replica(
    near: Function, replica: StreamingReplica, acme: Provisioned, globex: Provisioned, logged: LogLines
) -> None:
    answer_of(near(request_of("report_predictions", acme)))
    replica.catch_up()

    shown = [answer_of(near(request_of("own_organization", each))).document for each in (acme, globex)]
    used = [predictions_in(answer_of(near(request_of("usage", each)))) for each in (acme, globex)]

    assert [each["id"] for each in shown] == [str(acme.organization.id), str(globex.organization.id)]
    assert (used[0] > 0, used[1]) == (True, 0)
    assert {line["read_from"] for line in logged() if "read_from" in line} == {"replica"}


def test_stopped_replica_is_replaced_by_the_primary(
    start: Start,
    secrets: None,  # noqa: ARG001
    acme: Provisioned,
    logged: LogLines,
) -> None:
    usage = start("usage", REPLICA_ADDRESS=f"127.0.0.1:{free_port()}")

    answers = [answer_of(usage(request_of("usage", acme))) for _ in range(2)]

    assert [each.status for each in answers] == [200, 200]
    lines = logged()
    assert [line["fault"] for line in lines if "ReplicaFallbacks" in line] == ["unreachable", "unreachable"]
    assert [line["read_from"] for line in lines if "read_from" in line] == ["primary", "primary"]


def test_other_routes_read_the_replica(
    start: Start,
    secrets: None,  # noqa: ARG001
    replica: StreamingReplica,
    acme: Provisioned,
    logged: LogLines,
) -> None:
    replica.catch_up()
    address = f"127.0.0.1:{replica.port}"
    privacy, audit, usage = (start(each, REPLICA_ADDRESS=address) for each in ("privacy", "audit", "usage"))
    erasure = answer_of(privacy(request_of("erase_user", acme, function="privacy")))
    replica.catch_up()
    of_operator = called_by(sample("usage", "usage_for_operator"), OPERATOR)
    of_operator["pathParameters"] = {"organization_id": str(acme.organization.id)}
    of_operator = with_path(
        of_operator, f"/organizations/{acme.organization.id}/usage", "/organizations/{organization_id}/usage"
    )

    answers = [
        answer_of(privacy(erasure_request(acme, erasure.document["id"]))),
        answer_of(privacy(request_of("list_erasures", acme, function="privacy"))),
        answer_of(audit(request_of("list", acme, function="audit"))),
        answer_of(usage(request_of("list_events", acme))),
        answer_of(usage(request_of("stats", acme))),
        answer_of(usage(of_operator)),
    ]

    assert [each.status for each in answers] == [200] * 6
    assert [line["read_from"] for line in logged() if "read_from" in line] == ["replica"] * 6


def test_functions_without_a_replica_give_the_time(
    start: Start,
    secrets: None,  # noqa: ARG001
    near: Function,
    replica: StreamingReplica,
    acme: Provisioned,
    logged: LogLines,
) -> None:
    keys = start("keys", REPLICA_ADDRESS=f"127.0.0.1:{replica.port}")
    request = called_by(sample("keys", "create_app"), tenant_of(acme))
    written = answer_of(keys(request))

    read = answer_of(near(request_of("usage", acme, written.headers["x-read-after"])))

    assert written.headers["x-read-after"].startswith("t")
    assert read.document["quotas"]["apps"]["used"] == 2
    assert [line["read_from"] for line in logged() if "read_from" in line] == ["primary"]


def test_nothing_changes_without_a_replica(start: Start, secrets: None, acme: Provisioned, logged: LogLines) -> None:  # noqa: ARG001
    usage = start("usage")

    written = answer_of(usage(request_of("report_predictions", acme)))
    read = answer_of(usage(request_of("usage", acme, "p" * 60)))

    assert "x-read-after" not in {**written.headers, **read.headers}
    assert predictions_in(read) > 0
    assert [line for line in logged() if "read_from" in line] == []


@pytest.mark.parametrize(
    ("region", "pinned", "is_read"),
    [
        (REGION, "", True),
        (REGION, REGION, True),
        ("", REGION, True),
        ("us-east-1", "", True),
        ("us-east-1", REGION, False),
    ],
)
def test_pinned_data_is_read_in_its_region_only(
    region: str,
    pinned: str,
    start: Start,
    secrets: None,  # noqa: ARG001
    replica: StreamingReplica,
    acme: Provisioned,
    *,
    is_read: bool,
) -> None:
    replica.catch_up()
    with tcp_proxy(replica.port) as proxy:
        usage = start("usage", REPLICA_ADDRESS=proxy.address, REPLICA_REGION=region, PINNED_REGION=pinned)

        answers = [answer_of(usage(request_of(each, acme))) for each in ("usage", "report_predictions")]

        assert [each.status for each in answers] == [200, 200]
        assert (proxy.round_trips > 0) is is_read


def test_routes_that_a_replica_may_answer_are_listed(start: Start, secrets: None) -> None:  # noqa: ARG001
    """A route for decisions about callers, or with links to files, is not among them."""
    for function, expected in NEAREST_ROUTES.items():
        app = start(function).app.app
        routes = (*app._static_routes, *app._dynamic_routes)

        assert sorted(each.path for each in routes if is_nearest(each.func)) == expected
        assert {each.method for each in routes if is_nearest(each.func)} == {"GET"}
