"""Requests for reports of compliance, and their documents."""

from typing import Any
from uuid import UUID

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import tenant_of
from tests.handlers.audit_requests import ALL_TIME
from tests.handlers.functions import Function
from tests.handlers.requests import OPERATOR, Event, answer_of, called_by, sample, with_path, with_query

RESOURCE = "/organizations/{organization_id}/compliance/report"


def own_request(organization_id: UUID, **query: str) -> Event:
    request = with_path(sample("audit", "report"), f"/organizations/{organization_id}/compliance/report", RESOURCE)
    return with_query({**request, "pathParameters": {"organization_id": str(organization_id)}}, **ALL_TIME | query)


def own_report(audit: Function, provisioned: Provisioned, **query: str) -> dict[str, Any]:
    request = own_request(provisioned.organization.id, **query)
    answer = answer_of(audit(called_by(request, tenant_of(provisioned))))
    assert answer.status == 200, answer.body
    document: dict[str, Any] = answer.document
    return document


def platform_request(**query: str) -> Event:
    return called_by(with_query(sample("compliance", "report"), **ALL_TIME | query), OPERATOR)


def platform_report(compliance: Function, **query: str) -> dict[str, Any]:
    answer = answer_of(compliance(platform_request(**query)))
    assert answer.status == 200, answer.body
    document: dict[str, Any] = answer.document
    return document


def settings_of(settings: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[str, str]]:
    return {(each["subject"], each["aspect"]): (each["state"], each["detail"]) for each in settings}
