"""Routes of an organization's apps: create, list, change and delete them."""

from uuid import uuid4

import pytest

from tenancy.rules.permissions import SECRET_KEY_PERMISSIONS
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.key_requests import create_key_request, key_request
from tests.handlers.requests import (
    Answer,
    answer_of,
    called_by,
    caller_in,
    problem_of,
    recent_event,
    sample,
    segment_call,
    to_authorizer,
    with_basic_auth,
    with_body,
    with_headers,
    with_query,
)

LIST_ACTIONS = """
    SELECT action, target FROM audit_log WHERE organization_id = %s AND action ~ '^(app|key)' ORDER BY action, target
"""


@pytest.fixture
def keys(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("keys")


def created(keys: Function, provisioned: Provisioned, name: str = "Shop") -> Answer:
    return answer_of(keys(key_request("create_app", tenant_of(provisioned), {"name": name, "platform": "ios"})))


def listed_ids(keys: Function, provisioned: Provisioned) -> list[str]:
    return [each["id"] for each in answer_of(keys(key_request("list_apps", tenant_of(provisioned)))).document["data"]]


def actions(databases: Databases, provisioned: Provisioned) -> list[tuple[str, str]]:
    with superuser(databases) as conn:
        return conn.execute(LIST_ACTIONS, (provisioned.organization.id,)).fetchall()


def test_created_app_is_listed_first(
    keys: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    created(keys, globex)

    answer = created(keys, acme)

    assert answer.status == 201
    assert (answer.document["name"], answer.document["platform"]) == ("Shop", "ios")
    assert listed_ids(keys, acme) == [answer.document["id"], str(acme.app_id)]
    assert actions(databases, acme) == [("app.created", answer.document["id"])]


def test_app_past_the_limit_is_refused(keys: Function, acme: Provisioned) -> None:
    created(keys, acme)
    request = key_request("create_app", tenant_of(acme))

    document = problem_of(keys(request), request, 402, "quota_exceeded")

    assert (document["metric"], document["limit"], document["used"]) == ("apps", 2, 2)


def test_deleted_app_leaves_room_for_another(keys: Function, acme: Provisioned) -> None:
    app_id = created(keys, acme).document["id"]

    assert answer_of(keys(key_request("delete_app", tenant_of(acme), app_id=app_id))).status == 204

    assert created(keys, acme).status == 201


def test_apps_are_listed_in_pages(keys: Function, globex: Provisioned) -> None:
    expected = [created(keys, globex, name=f"App {number}").document["id"] for number in range(3)][::-1]
    query, found = {"limit": "3"}, []

    while True:
        document = answer_of(keys(with_query(key_request("list_apps", tenant_of(globex)), **query))).document
        found.append([each["id"] for each in document["data"]])
        if not document["pagination"]["has_more"]:
            break
        query["cursor"] = document["pagination"]["next_cursor"]

    assert found == [expected, [str(globex.app_id)]]


@pytest.mark.parametrize("change", [{"name": "Café"}, {"platform": "android"}, {"name": "Café", "platform": "android"}])
def test_app_is_changed(keys: Function, databases: Databases, acme: Provisioned, change: dict[str, str]) -> None:
    before = answer_of(keys(key_request("list_apps", tenant_of(acme)))).document["data"][0]

    document = answer_of(keys(key_request("change_app", tenant_of(acme), change, app_id=acme.app_id))).document

    assert document == {**before, **change}
    assert answer_of(keys(key_request("list_apps", tenant_of(acme)))).document["data"] == [document]
    assert actions(databases, acme) == [("app.changed", str(acme.app_id))]


@pytest.mark.parametrize(
    "change", [{}, {"name": None}, {"name": ""}, {"name": "\0"}, {"platform": "x" * 101}, {"status": "removed"}]
)
def test_impossible_change_is_invalid(keys: Function, acme: Provisioned, change: dict[str, object]) -> None:
    request = key_request("change_app", tenant_of(acme), change, app_id=acme.app_id)

    problem_of(keys(request), request, 422, "invalid")


@pytest.mark.parametrize("case", ["change_app", "delete_app"])
def test_deleted_unknown_and_foreign_apps_are_not_found(
    keys: Function, acme: Provisioned, globex: Provisioned, case: str
) -> None:
    deleted = created(keys, acme).document["id"]
    keys(key_request("delete_app", tenant_of(acme), app_id=deleted))

    for app_id in (deleted, uuid4(), globex.app_id):
        request = key_request(case, tenant_of(acme), app_id=app_id)
        problem_of(keys(request), request, 404, "not_found")

    assert listed_ids(keys, globex) == [str(globex.app_id)]
    assert listed_ids(keys, acme) == [str(acme.app_id)]


def test_deleted_app_gets_no_key(keys: Function, acme: Provisioned) -> None:
    keys(key_request("delete_app", tenant_of(acme), app_id=acme.app_id))
    request = create_key_request(tenant_of(acme), type="write", app_id=str(acme.app_id))

    problem_of(keys(request), request, 422, "invalid")


def test_keys_of_a_deleted_app_are_refused_at_once(
    keys: Function, start: Start, databases: Databases, acme: Provisioned
) -> None:
    ingest, authorizer = start("ingest"), start("authorizer")
    caller = caller_in(authorizer(to_authorizer(f"Bearer {acme.write_key.text}")))
    events = called_by(with_body(sample("ingest", "events"), {"events": [recent_event(1)]}), caller)
    segment = with_basic_auth(with_body(sample("ingest", "segment_call"), segment_call(1)), acme.write_key)
    assert [ingest(request)["statusCode"] for request in (events, segment)] == [200, 200]

    keys(key_request("delete_app", tenant_of(acme), app_id=acme.app_id))

    assert [ingest(request)["statusCode"] for request in (events, segment)] == [401, 401]
    assert actions(databases, acme) == [("app.deleted", str(acme.app_id)), ("key.revoked", str(acme.write_key_id))]


def test_app_with_live_keys_is_not_deleted_without_keys_write(
    keys: Function, databases: Databases, acme: Provisioned
) -> None:
    tenant = tenant_of(acme, scopes=SECRET_KEY_PERMISSIONS)
    request = key_request("delete_app", tenant, app_id=acme.app_id)

    document = problem_of(keys(request), request, 403, "forbidden")

    assert "keys:write" in document["detail"]
    assert listed_ids(keys, acme) == [str(acme.app_id)]
    assert actions(databases, acme) == []


def test_app_without_live_keys_needs_no_keys_write(keys: Function, acme: Provisioned) -> None:
    tenant = tenant_of(acme, scopes=SECRET_KEY_PERMISSIONS)
    keys(key_request("revoke", tenant_of(acme), key_id=acme.write_key_id))

    assert answer_of(keys(key_request("delete_app", tenant, app_id=acme.app_id))).status == 204


def test_deleted_app_leaves_other_keys(keys: Function, acme: Provisioned) -> None:
    keys(key_request("delete_app", tenant_of(acme), app_id=acme.app_id))

    listed = answer_of(keys(key_request("list", tenant_of(acme)))).document["data"]

    assert {each["id"]: each["status"] for each in listed} == {
        str(acme.write_key_id): "revoked",
        str(acme.secret_key_id): "active",
    }


def test_repeated_request_creates_one_app(keys: Function, acme: Provisioned) -> None:
    request = with_headers(key_request("create_app", tenant_of(acme)), idempotency_key="order-1")

    first, second = answer_of(keys(request)), answer_of(keys(request))

    assert (first.status, first.document) == (second.status, second.document)
    assert len(listed_ids(keys, acme)) == 2


def test_refused_request_can_be_sent_again_with_its_key(keys: Function, acme: Provisioned) -> None:
    app_id = created(keys, acme).document["id"]
    request = with_headers(key_request("create_app", tenant_of(acme)), idempotency_key="order-1")
    problem_of(keys(request), request, 402, "quota_exceeded")
    keys(key_request("delete_app", tenant_of(acme), app_id=app_id))

    assert answer_of(keys(request)).status == 201
