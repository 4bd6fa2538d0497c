"""What the deployed API refuses, and in what shape: the gateway's own answers look like ours."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from tests.e2e.conftest import Provision
from tests.e2e.deployed import Api, Organization, Stack, wait_for

EVENT = {
    "event_type": "open",
    "event_name": "Opened",
    "device_id": "device",
    "platform": "web",
    "event_timestamp": datetime.now(UTC).isoformat(),
}


def sweep_until_done(stack: Stack) -> None:
    """Sweep as the schedule does; it may be at it just now."""
    wait_for(lambda: int(stack.invoke("Sweep")["ran"]), 1)


def refused(answer: object) -> tuple[int, str]:
    """Return status and code of an answer that must be a problem document."""
    document = answer.document  # type: ignore[attr-defined]
    assert answer.headers["content-type"] == "application/problem+json"  # type: ignore[attr-defined]
    assert document["status"] == answer.status  # type: ignore[attr-defined]
    assert document["message"] == document["detail"]
    assert document["request_id"]
    return answer.status, document["code"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("credential", [None, "nonsense", "wk_", "a.b.c", "pk_" + "0" * 49])
def test_who_has_no_valid_credential_is_refused(api: Api, credential: str | None) -> None:
    assert refused(api.get("/usage", credential)) == (401, "unauthenticated")


def test_a_route_that_does_not_exist_is_not_found(api: Api, stack: Stack) -> None:
    assert refused(api.get("/nowhere", None)) == (404, "not_found")
    assert refused(api.get("/nowhere", stack.platform_key)) == (404, "not_found")


def test_the_header_only_confirms_the_credential(api: Api, acme: Organization, globex: Organization) -> None:
    def usage(named: str) -> object:
        return api.get("/usage", acme.secret_key, {"X-Organization-ID": named})

    assert api.get("/usage", acme.secret_key, {"X-Organization-ID": acme.id}).status == 200
    assert refused(usage(globex.id)) == (403, "tenant_mismatch")
    assert refused(usage("org_unknown")) == (403, "tenant_mismatch")


def test_the_host_only_confirms_the_credential(api: Api, acme: Organization, globex: Organization) -> None:
    def usage(organization: Organization) -> object:
        return api.get("/usage", acme.secret_key, {"Host": f"{organization.subdomain}.attribution.localhost"})

    assert usage(acme).status == 200  # type: ignore[attr-defined]
    assert refused(usage(globex)) == (403, "tenant_mismatch")


def test_each_key_may_what_it_is_for(api: Api, stack: Stack, acme: Organization, globex: Organization) -> None:
    assert refused(api.get("/usage", acme.write_key)) == (403, "forbidden")
    assert refused(api.get("/usage", stack.platform_key)) == (403, "forbidden")
    assert refused(api.get("/organizations", acme.secret_key)) == (403, "forbidden")
    assert refused(api.get(f"/organizations/{acme.id}", acme.secret_key)) == (403, "forbidden")
    assert refused(api.get(f"/organizations/{globex.id}", acme.secret_key)) == (404, "not_found")
    assert api.get(f"/organizations/{acme.id}", stack.platform_key).document["id"] == acme.id


def test_a_browser_may_ask_first(api: Api) -> None:
    answer = api.call("OPTIONS", "/events", None, headers={"Origin": "https://shop.example"})
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "authorization" in answer.headers["access-control-allow-headers"]


def test_a_gzip_body_needs_no_header(api: Api, acme: Organization) -> None:
    body = gzip.compress(json.dumps({"events": [EVENT]}).encode())
    answer = api.call("POST", "/events", acme.write_key, body=body)
    assert (answer.status, answer.document["accepted"]) == (200, 1)


def test_a_bad_event_does_not_harm_the_others(api: Api, acme: Organization) -> None:
    answer = api.post("/events", acme.write_key, {"events": [EVENT, {**EVENT, "revenue": "1e30"}, {}]})
    assert (answer.status, answer.document["accepted"], answer.document["held"]) == (200, 1, 0)
    assert [entry["index"] for entry in answer.document["rejected"]] == [1, 2]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"events": [', (400, "malformed_request")),
        (b'{"events": [NaN]}', (400, "malformed_request")),
        (b'{"events": [{"event_type": "\\ud800"}]}', (400, "malformed_request")),
        (b'{"events": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", (400, "malformed_request")),
        (b"\x1f\x8bnonsense", (400, "malformed_request")),
        (gzip.compress(b" " * (4 * 1024 * 1024 + 1)), (413, "too_large")),
        (b'{"events": [{}]}', (422, "invalid")),
        (b'{"events": []}', (422, "invalid")),
        (b"[]", (422, "invalid")),
    ],
    ids=["cut off", "NaN", "lone surrogate", "deep", "bad gzip", "gzip bomb", "empty event", "no event", "a list"],
)
def test_bad_input_is_the_clients_fault(api: Api, acme: Organization, body: bytes, expected: tuple[int, str]) -> None:
    assert refused(api.call("POST", "/events", acme.write_key, body=body)) == expected


def test_an_organization_past_its_plan_is_throttled_alone(api: Api, acme: Organization, globex: Organization) -> None:
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: api.post("/events", acme.secret_key, {"events": []}), range(260)))
    over = [answer for answer in answers if answer.status == 429]
    throttled = [answer for answer in over if refused(answer) == (429, "throttled")]
    assert throttled
    assert throttled[0].headers["retry-after"] == "1"
    assert {refused(answer) for answer in over} == {(429, "throttled"), (429, "rate_limited")}
    assert {answer.status for answer in answers} == {422, 429}
    assert api.get("/usage", globex.secret_key).status == 200


def test_the_new_administrator_gets_one_welcome_mail(stack: Stack, provision: Provision) -> None:
    def welcomed() -> int:
        return sum(message["Subject"] == "Welcome, Acme" for message in stack.mail())

    sweep_until_done(stack)
    before = welcomed()
    provision("acme", "starter")
    for _ in range(2):
        sweep_until_done(stack)
        assert welcomed() == before + 1
    [newest] = stack.mail()[-1:]
    assert newest["To"] == ["admin@acme.example"]


def test_the_sweep_leaves_nothing(stack: Stack, acme: Organization) -> None:
    assert acme.subdomain
    sweep_until_done(stack)
    run = stack.invoke("Sweep")
    assert not run["ran"] or (run["done"], run["failed"], run["sealed"], run["announced"]) == ([], [], 0, 0)
