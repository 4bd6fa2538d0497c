"""GET /v1/health needs neither a credential nor a store."""

from tests.handlers.functions import Start
from tests.handlers.requests import answer_of, sample


def test_health_needs_no_store(start: Start, nowhere: str) -> None:
    request = sample("health", "check")
    answer = answer_of(start("health", AWS_ENDPOINT_URL=f"http://{nowhere}")(request))

    assert (answer.status, answer.document) == (200, {"status": "ok"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == request["requestContext"]["requestId"]
