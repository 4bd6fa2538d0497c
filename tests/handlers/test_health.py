"""GET /v1/health and GET /v1/openapi.json need neither a credential nor a store."""

import json

import pytest

from tests.given import ROOT
from tests.handlers.functions import Function, Start
from tests.handlers.requests import answer_of, problem_of, sample, with_headers, with_query

DOCUMENT = sample("health", "openapi")


@pytest.fixture
def health(start: Start, nowhere: str) -> Function:
    return start("health", AWS_ENDPOINT_URL=f"http://{nowhere}")


def test_health_needs_no_store(health: Function) -> None:
    request = sample("health", "check")

    answer = answer_of(health(request))

    assert (answer.status, answer.document) == (200, {"status": "ok"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == request["requestContext"]["requestId"]


def test_document_is_served_and_cacheable(health: Function) -> None:
    answer = answer_of(health(DOCUMENT))

    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.document == json.loads((ROOT / "docs/openapi.json").read_text())
    assert answer.headers["cache-control"] == "public, max-age=3600"


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*", ' {} , "other"'])
def test_known_version_of_the_document_is_304(health: Function, form: str) -> None:
    tag = answer_of(health(DOCUMENT)).headers["etag"]

    answer = answer_of(health(with_headers(DOCUMENT, if_none_match=form.format(tag))))

    assert (answer.status, answer.body, answer.headers["etag"]) == (304, "", tag)
    assert "content-type" not in answer.headers


@pytest.mark.parametrize("sent", ['"other"', "", ",", "x" * 8_000])
def test_other_version_of_the_document_is_200(health: Function, sent: str) -> None:
    assert answer_of(health(with_headers(DOCUMENT, if_none_match=sent))).status == 200


def test_document_takes_no_query(health: Function) -> None:
    request = with_query(DOCUMENT, version="1")

    problem_of(health(request), request, 422, "invalid")


def test_another_path_is_404(health: Function) -> None:
    request = {**DOCUMENT, "path": "/openapi", "resource": "/openapi"}

    problem_of(health(request), request, 404, "not_found")


def test_document_is_not_read_at_a_cold_start(health: Function) -> None:
    assert health.app.read_document.cache_info().currsize == 0

    health(DOCUMENT)

    assert health.app.read_document.cache_info().currsize == 1
