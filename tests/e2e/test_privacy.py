"""Privacy and provisioning on the deployed stack: export, erasure and `Idempotency-Key`."""

import gzip
import hashlib
import re
import secrets
import urllib.request
from typing import Any

from tests.e2e.deployed import Api, Organization, Stack, refusal_of, wait_for
from tests.e2e.test_limits import event

EVENTS = 20


def wait_for_job(stack: Stack, api: Api, path: str, organization: Organization, status: str) -> Any:  # noqa: ANN401 - JSON
    """Return the job at *path* in that *status*. The worker is invoked instead of its schedule."""

    def read() -> Any:  # noqa: ANN401 - JSON
        return api.get(path, organization.secret_key).document

    def has_status() -> int:
        stack.invoke("PrivacyJobs")
        return int(read()["status"] == status)

    assert wait_for(has_status, 1) == 1, read()
    return read()


def text_of(file: dict[str, Any]) -> str:
    """Download an exported file, check its digest and return its text."""
    with urllib.request.urlopen(file["url"], timeout=120) as response:
        content = response.read()
    assert hashlib.sha256(content).hexdigest() == file["sha256"]
    return (gzip.decompress(content) if re.search(r"\.gz$", file["name"]) else content).decode()


def test_organization_exports_its_data_and_erases_a_device(
    stack: Stack, api: Api, acme: Organization, globex: Organization
) -> None:
    for each in (acme, globex):
        events = [{**event(number), "device_id": f"device-{number % 2}"} for number in range(EVENTS)]
        assert api.post("/events", each.write_key, {"events": events}).document["accepted"] == EVENTS
        stack.wait_for_stored(each.id, EVENTS)

    requested = api.post("/exports", acme.secret_key, {})

    assert (requested.status, requested.document["status"]) == (202, "pending")
    path = f"/exports/{requested.document['id']}"
    require_own_data(wait_for_job(stack, api, path, acme, "done"), acme, globex)
    assert api.get(path, globex.secret_key).status == 404
    require_export_mail(stack, requested.document["id"])

    requested = api.post("/erasures", acme.secret_key, {"device_id": "device-1"})

    assert requested.status == 202
    erasure = wait_for_job(stack, api, f"/erasures/{requested.document['id']}", acme, "erased")
    assert erasure["events"] == {"before": EVENTS // 2, "after": 0}
    assert stack.count_stored(acme.id) == EVENTS // 2
    assert stack.count_stored(globex.id) == EVENTS
    assert api.get("/usage", acme.secret_key).document["quotas"]["events"]["used"] == EVENTS // 2


def require_own_data(export: Any, acme: Organization, globex: Organization) -> None:  # noqa: ANN401 - JSON
    """Require that an export has all events of acme and no row of globex."""
    texts = [text_of(file) for file in export["files"]]
    assert sum(text.count('"event_id"') for text in texts) == EVENTS
    assert acme.id in "".join(texts)
    assert globex.id not in "".join(texts)


def require_export_mail(stack: Stack, export_id: str) -> None:
    stack.invoke("Sweep")
    assert [each for each in stack.mail() if export_id in str(each) or "export" in each["Subject"].lower()]


def test_repeated_provisioning_request_gets_the_same_answer(stack: Stack, api: Api) -> None:
    name = f"initech-{secrets.token_hex(4)}"
    new = {
        "name": "Initech",
        "subdomain": name,
        "admin_email": f"admin@{name}.example",
        "admin_password": "staple battery horse correct 7",
    }
    key = {"Idempotency-Key": name}

    first = api.post("/organizations", stack.platform_key, new, key)
    second = api.post("/organizations", stack.platform_key, new, key)
    other = api.post("/organizations", stack.platform_key, {**new, "name": "Other"}, key)

    assert (first.status, second.status, second.document) == (201, 201, first.document)
    assert refusal_of(other) == (422, "idempotency_key_reused")
    assert api.get("/usage", first.document["secret_key"]).status == 200


def test_suspended_organization_is_refused_at_once(stack: Stack, api: Api, acme: Organization) -> None:
    assert api.get("/usage", acme.secret_key).status == 200

    suspended = api.call("PATCH", f"/organizations/{acme.id}", stack.platform_key, body=b'{"status": "suspended"}')

    assert (suspended.status, suspended.document["status"]) == (200, "suspended")
    assert refusal_of(api.get("/usage", acme.secret_key)) == (403, "organization_inactive")
