"""Requests of the operator for dead letters."""

from tests.handlers.requests import OPERATOR, Event, called_by, sample, with_path


def operator_request(case: str, organization_id: object) -> Event:
    request = sample("dead_letters", case)
    path = request["resource"].replace("{organization_id}", str(organization_id))
    parameters = {"organization_id": str(organization_id)}
    return called_by({**with_path(request, path, request["resource"]), "pathParameters": parameters}, OPERATOR)
