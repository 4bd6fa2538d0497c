"""Refusals of the deployed API: the gateway's own answers look like those of the handlers."""

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.conftest import Provision
from tests.e2e.deployed import Answer, Api, Organization, Stack, refusal_of, sweep

EVENT = {
    "event_type": "open",
    "event_name": "Opened",
    "device_id": "device",
    "platform": "web",
    "event_timestamp": datetime.now(UTC).isoformat(),
}


@pytest.mark.parametrize("credential", [None, "nonsense", "wk_", "a.b.c", "pk_" + "0" * 49])
def test_invalid_credential_is_refused(api: Api, credential: str | None) -> None:
    assert refusal_of(api.get("/usage", credential)) == (401, "unauthenticated")


def test_unknown_route_is_404(api: Api, stack: Stack) -> None:
    assert refusal_of(api.get("/nowhere", None)) == (404, "not_found")
    assert refusal_of(api.get("/nowhere", stack.platform_key)) == (404, "not_found")


def test_organization_header_only_confirms_the_credential(api: Api, acme: Organization, globex: Organization) -> None:
    def read_usage(named: str) -> Answer:
        return api.get("/usage", acme.secret_key, {"X-Organization-ID": named})

    assert read_usage(acme.id).status == 200
    assert refusal_of(read_usage(globex.id)) == (403, "tenant_mismatch")
    assert refusal_of(read_usage("org_unknown")) == (403, "tenant_mismatch")


def test_host_only_confirms_the_credential(api: Api, acme: Organization, globex: Organization) -> None:
    def read_usage(organization: Organization) -> Answer:
        return api.get("/usage", acme.secret_key, {"Host": f"{organization.subdomain}.attribution.localhost"})

    assert read_usage(acme).status == 200
    assert refusal_of(read_usage(globex)) == (403, "tenant_mismatch")


def test_each_kind_of_key_has_its_own_permissions(
    api: Api, stack: Stack, acme: Organization, globex: Organization
) -> None:
    assert refusal_of(api.get("/usage", acme.write_key)) == (403, "forbidden")
    assert refusal_of(api.get("/usage", stack.platform_key)) == (403, "forbidden")
    assert refusal_of(api.get("/organizations", acme.secret_key)) == (403, "forbidden")
    assert refusal_of(api.get(f"/organizations/{acme.id}", acme.secret_key)) == (403, "forbidden")
    assert refusal_of(api.get(f"/organizations/{globex.id}", acme.secret_key)) == (404, "not_found")
    assert api.get(f"/organizations/{acme.id}", stack.platform_key).document["id"] == acme.id


def test_preflight_request_is_answered(api: Api) -> None:
    answer = api.call("OPTIONS", "/events", None, headers={"Origin": "https://shop.example"})

    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "authorization" in answer.headers["access-control-allow-headers"]


def test_gzip_body_needs_no_header(api: Api, acme: Organization) -> None:
    body = gzip.compress(json.dumps({"events": [EVENT]}).encode())

    answer = api.call("POST", "/events", acme.write_key, body=body)

    assert (answer.status, answer.document["accepted"]) == (200, 1)


def test_invalid_event_rejects_only_itself(api: Api, acme: Organization) -> None:
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
def test_invalid_body_is_answered_4xx(api: Api, acme: Organization, body: bytes, expected: tuple[int, str]) -> None:
    assert refusal_of(api.call("POST", "/events", acme.write_key, body=body)) == expected


@contextmanager
def slow_starter_plan(stack: Stack) -> Iterator[None]:
    """Let the starter plan admit only 150 requests.

    The template's plan refills so fast that a slow machine would never be throttled.
    """
    gateway: Any = stack.client("apigateway")
    plan_id = stack.physical_id("StarterPlan")
    before = gateway.get_usage_plan(usagePlanId=plan_id)["throttle"]

    def update(rate: object, burst: object) -> None:
        values = {"/throttle/rateLimit": str(rate), "/throttle/burstLimit": str(burst)}
        operations = [{"op": "replace", "path": path, "value": value} for path, value in values.items()]
        gateway.update_usage_plan(usagePlanId=plan_id, patchOperations=operations)

    update(0.01, 150)
    try:
        yield
    finally:
        update(before["rateLimit"], before["burstLimit"])


def test_organization_past_its_plan_is_throttled_alone(
    api: Api, stack: Stack, acme: Organization, globex: Organization
) -> None:
    with slow_starter_plan(stack), ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: api.post("/events", acme.secret_key, {"events": []}), range(260)))

    assert {answer.status for answer in answers} == {422, 429}
    refused = [answer for answer in answers if answer.status == 429]
    throttled = [answer for answer in refused if refusal_of(answer) == (429, "throttled")]
    assert throttled
    assert throttled[0].headers["retry-after"] == "1"
    assert {refusal_of(answer) for answer in refused} == {(429, "throttled"), (429, "rate_limited")}
    assert api.get("/usage", globex.secret_key).status == 200


@pytest.mark.alone
def test_new_administrator_gets_one_welcome_mail(stack: Stack, provision: Provision) -> None:
    def count_welcomes() -> int:
        return sum(message["Subject"] == "Welcome, Acme" for message in stack.mail())

    sweep(stack)
    before = count_welcomes()

    acme = provision("acme", "starter")

    for _ in range(2):
        sweep(stack)
        assert count_welcomes() == before + 1
    [newest] = stack.mail()[-1:]
    assert newest["To"] == ["admin@acme.example"]
    assert f"/v1/console/?organization={acme.subdomain}" in str(newest)


@pytest.mark.alone
@pytest.mark.usefixtures("acme")
def test_sweep_leaves_no_pending_work(stack: Stack) -> None:
    sweep(stack)

    run = stack.invoke("Sweep")

    results = [run.get(name) for name in ("done", "failed", "sealed", "quota_notices_enqueued")]
    assert not run["ran"] or results == [[], [], 0, 0]
