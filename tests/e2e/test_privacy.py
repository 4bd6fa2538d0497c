"""Exports and the erasure of a data subject through the deployed stack, and provisioning once per Idempotency-Key."""

import gzip
import hashlib
import json
import re
import secrets
import urllib.request
from collections.abc import Callable
from typing import Any

from tests.e2e.deployed import Answer, Api, Organization, Stack, wait_for
from tests.e2e.test_limits import event

EVENTS = 20


def finished(stack: Stack, read: Callable[[], Answer], status: str) -> Any:  # noqa: ANN401 - JSON
    """Return the job when it has come so far; the deployed worker does it, without waiting for its minute."""

    def is_finished() -> int:
        stack.invoke("PrivacyJobs")
        return int(read().document["status"] == status)

    assert wait_for(is_finished, 1) == 1, read().document
    return read().document


def test_an_organization_exports_its_own_data_and_erases_a_device_of_its_own(
    stack: Stack, api: Api, acme: Organization, globex: Organization
) -> None:
    for each in (acme, globex):
        events = [{**event(number), "device_id": f"device-{number % 2}"} for number in range(EVENTS)]
        assert api.post("/events", each.write_key, {"events": events}).document["accepted"] == EVENTS
        assert wait_for(lambda each=each: stack.stored(each.id), EVENTS) == EVENTS  # type: ignore[misc]
    asked = api.post("/exports", acme.secret_key, {})
    assert (asked.status, asked.document["status"]) == (202, "pending")
    path = f"/exports/{asked.document['id']}"
    export = finished(stack, lambda: api.get(path, acme.secret_key), "done")
    texts = [text_of(file) for file in export["files"]]
    assert sum(text.count('"event_id"') for text in texts) == EVENTS
    assert acme.id in "".join(texts)
    assert globex.id not in "".join(texts)
    assert api.get(path, globex.secret_key).status == 404
    stack.invoke("Sweep")
    mails = [each for each in stack.mail() if f"{export['id']}" in str(each) or "export" in each["Subject"].lower()]
    assert mails

    asked = api.post("/erasures", acme.secret_key, {"device_id": "device-1"})
    assert asked.status == 202
    path = f"/erasures/{asked.document['id']}"
    erasure = finished(stack, lambda: api.get(path, acme.secret_key), "erased")
    assert erasure["events"] == {"before": EVENTS // 2, "after": 0}
    assert stack.stored(acme.id) == EVENTS // 2
    assert stack.stored(globex.id) == EVENTS
    assert api.get("/usage", acme.secret_key).document["quotas"]["events"]["used"] == EVENTS // 2


def text_of(file: dict[str, Any]) -> str:
    with urllib.request.urlopen(file["url"], timeout=20) as response:
        content = response.read()
    assert hashlib.sha256(content).hexdigest() == file["sha256"]
    return (gzip.decompress(content) if re.search(r"\.gz$", file["name"]) else content).decode()


def test_the_same_request_to_provision_is_answered_the_same(stack: Stack, api: Api) -> None:
    name = f"initech-{secrets.token_hex(4)}"
    new = {
        "name": "Initech",
        "subdomain": name,
        "admin_email": f"admin@{name}.example",
        "admin_password": "staple battery horse correct 7",
    }
    key = {"Idempotency-Key": name}
    first = api.post("/organizations", stack.platform_key, new, key)
    again = api.post("/organizations", stack.platform_key, new, key)
    assert (first.status, again.status, again.document) == (201, 201, first.document)
    other = api.post("/organizations", stack.platform_key, {**new, "name": "Other"}, key)
    assert (other.status, other.document["code"]) == (422, "idempotency_key_reused")
    assert api.get("/usage", first.document["secret_key"]).status == 200
    suspended = api.call(
        "PATCH",
        f"/organizations/{first.document['organization']['id']}",
        stack.platform_key,
        body=json.dumps({"status": "suspended"}).encode(),
    )
    assert (suspended.status, suspended.document["status"]) == (200, "suspended")
    refused = api.get("/usage", first.document["secret_key"])
    assert (refused.status, refused.document["code"]) == (403, "organization_inactive")
