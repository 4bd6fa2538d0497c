"""Requests of the operator for organizations: provision one, get one, list all."""

from tests.given import PASSWORD
from tests.handlers.requests import OPERATOR, Event, called_by, sample, with_body, with_path, with_query

NEW_ORGANIZATION: dict[str, object] = {
    "name": "Acme",
    "subdomain": "acme",
    "admin_email": "Admin@Acme.Example",
    "admin_password": PASSWORD,
    "tier": "growth",
}


def create_request(**changes: object) -> Event:
    return called_by(with_body(sample("provision", "create"), {**NEW_ORGANIZATION, **changes}), OPERATOR)


def get_request(organization_id: object) -> Event:
    path = f"/organizations/{organization_id}"
    request = with_path(sample("provision", "get"), path, "/organizations/{organization_id}")
    return called_by({**request, "pathParameters": {"organization_id": str(organization_id)}}, OPERATOR)


def list_request(**query: str) -> Event:
    return called_by(with_query(sample("provision", "list"), **query), OPERATOR)
