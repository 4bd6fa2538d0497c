"""Requests: retries, time-outs, idempotency keys and redirects."""

import re
import time

import pytest

from tests.tenantctl.documents import ACME_ID, organization, page
from tests.tenantctl.processes import PLATFORM_KEY, Tenantctl
from tests.tenantctl.served_api import Served, ServedApi

NO_ANSWER = Served(status=None)
CREATED = {"id": "key-1", "name": "On call", "expires_at": None, "rotate_by": None, "key": "pk_new"}
STATUSES = {400: 6, 401: 3, 402: 7, 403: 3, 404: 4, 409: 5, 410: 4, 413: 6, 415: 6, 422: 6, 500: 8, 502: 8}


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_exit_code_tells_the_class_of_a_refusal(tenantctl: Tenantctl, api: ServedApi, status: int) -> None:
    api.answer(Served.refusal(status, "some_code"))

    done = tenantctl.run("orgs", "show", ACME_ID)

    assert (done.code, done.out) == (STATUSES[status], "")


def test_refusal_shows_detail_fields_and_request_id(tenantctl: Tenantctl, api: ServedApi) -> None:
    problem = Served.refusal(422, "invalid", "The request is not valid.")
    faults = [{"location": "body/overrides/users", "code": "out_of_range", "message": "Expected less."}]
    api.answer(Served(document={**dict(problem.document), "errors": faults}, status=422))  # type: ignore[call-overload]

    done = tenantctl.run("orgs", "override", ACME_ID, "users=9")

    assert done.err.splitlines() == [
        "Error: The request is not valid.",
        "  body/overrides/users: Expected less.",
        "  code invalid, request id request-1",
    ]


def test_json_has_the_problem_document_on_stderr(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served.refusal(404, "not_found", "There is none."))

    done = tenantctl.run("orgs", "show", ACME_ID, "--json")

    [problem] = [line for line in done.err.splitlines() if '"code"' in line]
    assert (done.out, problem.strip()) == ("", '"code": "not_found",')


def test_answer_of_api_gateway_itself_is_shown(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document={"message": "Request Too Long"}, status=413))

    done = tenantctl.run("orgs", "show", ACME_ID)

    assert (done.code, done.err.splitlines()[0]) == (6, "Error: Request Too Long")


def test_retry_after_is_honoured(tenantctl: Tenantctl, api: ServedApi) -> None:
    limited = Served.refusal(429, "rate_limited", "Over the limit.", Retry_After="2")
    api.answer(limited, Served(document=organization()))
    started = time.monotonic()

    done = tenantctl.run("orgs", "show", ACME_ID, "--json")

    assert (done.code, len(api.received)) == (0, 2)
    assert time.monotonic() - started >= 2


def test_long_retry_after_ends_the_command(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served.refusal(429, "rate_limited", "Over the limit.", Retry_After="3600"))

    done = tenantctl.run("orgs", "show", ACME_ID)

    assert (done.code, len(api.received)) == (7, 1)


def test_lost_answer_is_asked_for_again(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(NO_ANSWER, Served(document=organization()))

    done = tenantctl.run("orgs", "show", ACME_ID)

    assert (done.code, len(api.received)) == (0, 2)


def test_creation_is_repeated_with_its_idempotency_key(tenantctl: Tenantctl, api: ServedApi) -> None:
    in_progress = Served.refusal(409, "request_in_progress", Retry_After="0")
    api.answer(NO_ANSWER, in_progress, Served(document=CREATED, status=201))

    done = tenantctl.run("platform-keys", "create", "--name", "On call", "--json")

    assert done.document["key"] == "pk_new"
    [key] = {each.headers["idempotency-key"] for each in api.received}
    assert re.fullmatch(r"tenantctl-[0-9a-f]{32}", key)
    assert len(api.received) == 3


def test_given_idempotency_key_is_sent(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=CREATED, status=201))

    tenantctl.run("platform-keys", "create", "--name", "On call", "--idempotency-key", "mine")

    assert [each.headers["idempotency-key"] for each in api.received] == ["mine"]


def test_failed_creation_says_how_to_repeat_it(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served.refusal(500, "internal", "A defect."))

    done = tenantctl.run("platform-keys", "create", "--name", "On call")

    assert f"--idempotency-key {api.received[0].headers['idempotency-key']}" in done.err


def test_lost_release_is_not_repeated(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(NO_ANSWER)

    done = tenantctl.run("held", "release", ACME_ID)

    assert (done.code, len(api.received)) == (8, 1)
    assert "It may have been done, and was not repeated." in done.err


def test_slow_answer_ends_in_a_time_out(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document={}, after_seconds=3))

    done = tenantctl.run("--timeout", "1", "held", "release", ACME_ID)

    assert (done.code, "No answer within 1 s" in done.err) == (8, True)


def test_slow_body_ends_in_a_time_out(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document={"status": "ok"}, seconds_a_byte=0.4))

    done = tenantctl.run("--timeout", "1", "held", "release", ACME_ID)

    assert (done.code, "No answer within 1 s" in done.err) == (8, True)


@pytest.mark.parametrize(
    ("command", "described"),
    [("orgs list", "platform key of .local/stack.json"), ("keys list", "secret key in TENANTCTL_SECRET_KEY")],
)
def test_refused_key_is_named(tenantctl: Tenantctl, api: ServedApi, command: str, described: str) -> None:
    api.answer(Served.refusal(401, "unauthenticated", "Expected one header `Authorization: Bearer <key>`."))

    done = tenantctl.run(*command.split())

    assert (done.code, f"The API did not accept the {described}." in done.err) == (3, True)
    assert "header" not in done.err


def test_listed_faults_need_no_word_of_the_document(tenantctl: Tenantctl, api: ServedApi) -> None:
    problem = {
        "status": 422,
        "code": "invalid",
        "detail": "The request is not valid. `errors` lists the fields.",
        "errors": [{"location": "body/tier", "message": "Expected a tier."}],
    }
    api.answer(Served(document=problem, status=422))

    done = tenantctl.run("orgs", "move-tier", ACME_ID, "growth")

    assert done.err.splitlines() == ["Error: The request is not valid.", "  body/tier: Expected a tier."]


def test_unknown_subdomain_says_where_to_look(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=page(organization(subdomain="acme-36658b"))))

    done = tenantctl.run("stats", "acme")

    assert (done.code, "`tenantctl orgs list` shows the subdomains" in done.err) == (4, True)


@pytest.mark.parametrize("errors", [None, 7, "text", [7], [{"location": None}], {"a": 1}])
def test_strange_problem_documents_are_shown(tenantctl: Tenantctl, api: ServedApi, errors: object) -> None:
    problem = {"status": 599, "code": 7, "detail": ["no", "text"], "errors": errors, "request_id": {}}
    api.answer(Served(document=problem, status=599))

    done = tenantctl.run("orgs", "show", ACME_ID)

    assert (done.code, "Traceback" in done.err) == (8, False)


def test_key_does_not_follow_a_redirect(tenantctl: Tenantctl, api: ServedApi) -> None:
    with ServedApi.serving() as other:
        other.answer(Served(document=organization()))
        api.answer(Served(status=302, headers={"Location": f"{other.url}/organizations/{ACME_ID}"}))

        done = tenantctl.run("orgs", "show", ACME_ID)

        assert (done.code, other.received) == (8, [])


def test_proxy_does_not_see_the_local_stack(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=organization()))

    done = tenantctl.run("orgs", "show", ACME_ID, http_proxy="http://127.0.0.1:1", HTTP_PROXY="http://127.0.0.1:1")

    assert done.code == 0


def test_unreachable_stack_is_named_with_the_remedy(tenantctl: Tenantctl, api: ServedApi) -> None:
    (tenantctl.folder / ".local" / "stack.json").unlink()
    (tenantctl.folder / ".local").rmdir()
    tenantctl.write_stack("http://127.0.0.1:1/v1")

    done = tenantctl.run("health")

    assert (done.code, "make up" in done.err, api.received) == (8, True, [])


def test_answer_that_is_no_json_is_an_error(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=["no", "object"]))

    done = tenantctl.run("health")

    assert (done.code, "no JSON object" in done.err) == (8, True)


def test_pages_are_joined_up_to_the_limit(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(
        Served(document=page(*[organization()] * 100, cursor="next")),
        Served(document=page(*[organization()] * 20, cursor="more")),
    )

    done = tenantctl.run("orgs", "list", "--limit", "120", "--json")

    assert len(done.document["data"]) == 120
    assert done.document["pagination"] == {"next_cursor": "more", "has_more": True}
    assert [each.path for each in api.received] == [
        "/v1/organizations?limit=100",
        "/v1/organizations?limit=20&cursor=next",
    ]


def test_subdomain_is_looked_up_in_all_pages(tenantctl: Tenantctl, api: ServedApi) -> None:
    other = organization(id="1c000000-0000-4000-8000-0000000000c2", subdomain="globex")
    api.answer(
        Served(document=page(other, cursor="next")),
        Served(document=page(organization())),
        Served(document=organization()),
    )

    tenantctl.run("orgs", "show", "acme")

    assert api.received[-1].path == f"/v1/organizations/{ACME_ID}"


def test_path_of_a_strange_id_stays_one_segment(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(status=204))

    tenantctl.run("keys", "revoke", "../organizations?x=1", "--yes")

    assert [each.path for each in api.received] == ["/v1/keys/..%2Forganizations%3Fx%3D1"]


def test_operator_commands_send_the_platform_key(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=page()))

    tenantctl.run("orgs", "list")

    assert [each.headers["authorization"] for each in api.received] == [f"Bearer {PLATFORM_KEY}"]
