"""Requests of apps, keys and platform keys, with ids in their paths."""

from typing import Any

from tenancy.rules.tenant import Caller, Tenant
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import Function, superuser
from tests.handlers.requests import OPERATOR, Answer, Event, answer_of, called_by, sample, with_body, with_path

LIST_ACTIONS = """
    SELECT action, target, actor_kind FROM audit_log
    WHERE organization_id = %s AND action LIKE '%%key%%' ORDER BY occurred_at, action
"""


def key_request(case: str, caller: Caller = OPERATOR, body: object = None, **parameters: object) -> Event:
    """Return the sample *case* of the function `keys` by *caller*.

    It gets ids in its path and another *body*.
    """
    request = sample("keys", case)
    path = request["resource"]
    for name, value in parameters.items():
        path = path.replace(f"{{{name}}}", str(value))
    request = with_path(request, path, request["resource"])
    request["pathParameters"] = {name: str(value) for name, value in parameters.items()} or None
    return called_by(request if body is None else with_body(request, body), caller)


def create_key_request(tenant: Tenant, **members: object) -> Event:
    """Return a request for a secret key, or for a key with other *members*."""
    return key_request("create_secret_key", tenant, {"type": "secret", "name": "Billing", **members})


def create_key(keys: Function, provisioned: Provisioned, **members: object) -> Answer:
    answer = answer_of(keys(create_key_request(tenant_of(provisioned), **members)))
    assert answer.status == 201, answer.body
    return answer


def list_keys_by_id(keys: Function, provisioned: Provisioned) -> dict[str, dict[str, Any]]:
    document = answer_of(keys(key_request("list", tenant_of(provisioned)))).document
    return {each["id"]: each for each in document["data"]}


def list_key_actions(databases: Databases, provisioned: Provisioned) -> list[tuple[str, str, str]]:
    """Return action, target and kind of actor of the audit records about keys, oldest first."""
    with superuser(databases) as conn:
        return conn.execute(LIST_ACTIONS, (provisioned.organization.id,)).fetchall()
