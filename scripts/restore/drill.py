"""A drill on the local stack: a backup under load, erasures and revocations after it, a restore, and the replay.

The databases are restored into a second stack. The services of AWS survive, as they do when databases are lost. The
API of the second stack starts after the replay. The first stack keeps running, with three more organizations.
"""

import os
import secrets
import shutil
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.demo.client import ROOT, DemoOrganization, Stack, call, count_stored, get, provision, refusal
from scripts.demo.deletion import delete, find_certificate
from scripts.progress import wait_until
from scripts.restore.copies import LocalStack, back_up, remove, replay, restore, serve, table
from scripts.restore.load import batch_of, under_load
from scripts.stack.loopback import answers
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.stores.clickhouse.client import connect

EVENTS: Final = 50
AFTER_BACKUP_SECONDS: Final = 5.0
REQUEST_SECONDS: Final = 60.0
SUBJECT: Final = "device-3"
COUNT_EVENTS: Final = """
    SELECT count() FROM events
    WHERE organization_id = {organization_id:UUID} AND ({device:String} = '' OR device_id = {device:String})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillOrganizations:
    """Three organizations: *erased* is erased after the backup, *kept* erases a subject, *busy* makes the load."""

    erased: DemoOrganization
    kept: DemoOrganization
    busy: DemoOrganization


def drill() -> list[str]:
    """Run all steps on the stack that `make up` started, print RPO and RTO, and return the failures."""
    home = (ROOT / os.environ.get("STACK_DIR", ".local")).resolve()
    source, target = LocalStack(home), LocalStack(home / "drill")
    remove(target, say)
    folder = source.directory / "drill-backups"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        wrong = _drill(source, target, folder)
    finally:
        remove(target, say)
        shutil.rmtree(folder, ignore_errors=True)
    for line in wrong:
        say(f"WRONG: {line}")
    say("FAILED" if wrong else "erased data is erased again, revoked keys are refused, all audit logs verify")
    return wrong


def _drill(source: LocalStack, target: LocalStack, folder: Path) -> list[str]:
    stack, run = Stack.load(source.directory), secrets.token_hex(3)
    given = _use(stack, run)
    with under_load(stack, given.busy):
        say("Backing up PostgreSQL and ClickHouse under load")
        back_up(source, folder, f"drill_{run}")
        time.sleep(AFTER_BACKUP_SECONDS)
        _erase_and_revoke(stack, given)
    lost, lost_at = source.last_writes(), time.monotonic()
    say("Both databases are lost. Restoring the backups into a second stack, without its API")
    seconds = restore(source, target, folder, f"drill_{run}", say)
    found = target.last_writes()
    wrong = list(_check_before(target, given))
    say("Replaying the register")
    replay(source, target)
    replayed = time.monotonic() - lost_at
    say("Starting the API of the second stack")
    restored = serve(source, target, say)
    serving = time.monotonic() - lost_at
    wrong += _check_after(target, restored, given)
    for line in table({name: (lost[name] - found[name], each) for name, each in seconds.items()}):
        say(f"  {line}")
    say(f"  replayed after {replayed:.1f} s, serving after {serving:.1f} s")
    return wrong


def _use(stack: Stack, run: str) -> DrillOrganizations:
    """Let three organizations send events."""
    say("Letting organizations use the stack")
    erased, kept, busy = (provision(stack, name, "enterprise", run) for name in ("acme", "globex", "initech"))
    for each in (erased, kept, busy):
        call(f"{stack.api_url}/events", each.write_key, body={"events": batch_of(EVENTS)})
        call(f"{stack.api_url}/usage/ml_predictions", each.secret_key, body={"amount": 1})
    wait_until(say, "the events", lambda: {count_stored(stack, each) for each in (erased, kept, busy)} == {EVENTS})
    return DrillOrganizations(erased=erased, kept=kept, busy=busy)


def _erase_and_revoke(stack: Stack, given: DrillOrganizations) -> None:
    """Erase an organization and a data subject, and revoke a key."""
    say("Erasing an organization and a data subject, and revoking a key, after the backup")
    kept = given.kept
    [key] = [each for each in get(stack, kept, "/keys")["data"] if each["type"] == "write"]
    _revoke(stack, kept, key["id"])
    erasure = call(f"{stack.api_url}/erasures", kept.secret_key, body={"device_id": SUBJECT})["id"]
    delete(stack, given.erased)
    wait_until(
        say, "the erasure of the subject", lambda: get(stack, kept, f"/erasures/{erasure}")["status"] != "pending"
    )
    wait_until(say, "the deletion certificate", lambda: find_certificate(stack, given.erased) is not None)


def _revoke(stack: Stack, organization: DemoOrganization, key_id: str) -> None:
    """Revoke a key as the operator."""
    url = f"{stack.api_url}/organizations/{organization.id}/keys/{key_id}"
    authorization = {"Authorization": f"Bearer {stack.platform_key}"}
    request = urllib.request.Request(url, method="DELETE", headers=authorization)  # noqa: S310 - the stack's own URL
    urllib.request.urlopen(request, timeout=REQUEST_SECONDS).close()  # noqa: S310 - as above


def _check_before(target: LocalStack, given: DrillOrganizations) -> Iterator[str]:
    """Yield a failure if the backup lacks the data that was erased after it, or if its stack already serves."""
    if answers(f"http://{target.settings.local_host}:{target.ports['api']}/v1/health", seconds=REQUEST_SECONDS):
        yield "the second stack answers before the replay"
    if not _count(target, given.erased, "") or not _count(target, given.kept, SUBJECT):
        yield "the backup lacks the rows that were erased after it"


def _check_after(target: LocalStack, restored: Stack, given: DrillOrganizations) -> Iterator[str]:
    """Yield the differences that a client finds."""
    kept, api = given.kept, restored.api_url
    organization = f"{api}/organizations/{given.erased.id}"
    if _count(target, given.erased, "") or refusal(lambda: call(organization, restored.platform_key)) != "erased":
        yield "the erased organization is there"
    if _count(target, kept, SUBJECT):
        yield "the erased data subject is there"
    if not _count(target, kept, ""):
        yield "the other events of its organization are gone"
    body = {"events": batch_of(1)}
    if refusal(lambda: call(f"{api}/events", kept.write_key, body=body)) != "unauthenticated":
        yield "the revoked key works"
    logs = [f"{api}/organizations/{log}/audit/verify" for log in (kept.id, given.busy.id, PLATFORM_LOG)]
    if not all(call(log, restored.platform_key)["valid"] for log in logs):
        yield "an audit log does not verify"


def _count(target: LocalStack, organization: DemoOrganization, device: str) -> int:
    """Return the number of stored events of one device, or of all devices."""
    parameters = {"organization_id": organization.id, "device": device}
    with closing(connect(target.clickhouse_url())) as client:
        return int(client.query(COUNT_EVENTS, parameters=parameters).result_rows[0][0])


def say(line: str) -> None:
    """Print a line of progress."""
    print(f"drill: {line}", flush=True)
