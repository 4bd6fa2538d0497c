"""The activity of organizations on the stack: events, exports, erasures and deletions."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from scripts.demo.client import DemoOrganization, Stack, call, count_stored, get, provision, roll_up
from scripts.demo.deletion import delete, find_certificate
from scripts.progress import wait_until
from scripts.upgrade.footprint import Watched

EVENTS: Final = 200

type Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The organizations that have used the release before. *deleted* is deleted later, *erased* has a certificate."""

    watched: list[Watched]
    deleted: DemoOrganization
    erased: DemoOrganization
    certificate: Document


def use(stack: Stack) -> Given:
    """Let organizations send, hold, export and erase events, and erase one of the organizations."""
    say("Letting organizations use it")
    run = secrets.token_hex(3)
    acme, globex, initech, hooli = (
        provision(stack, name, tier, run)
        for name, tier in (("acme", "growth"), ("globex", "starter"), ("initech", "starter"), ("hooli", "starter"))
    )
    for each in (acme, globex, initech, hooli):
        send(stack, each, EVENTS)
    send_ahead(stack, globex)
    delete(stack, hooli)
    roll_up(stack)
    export = call(f"{stack.api_url}/exports", acme.secret_key, body={})["id"]
    wait_until(say, "the export", lambda: get(stack, acme, f"/exports/{export}")["status"] == "done")
    erasure = call(f"{stack.api_url}/erasures", globex.secret_key, body={"device_id": "device-1"})["id"]
    wait_until(say, "the erasure", lambda: get(stack, globex, f"/erasures/{erasure}")["status"] != "pending")
    watched = [
        Watched(organization=acme, export_ids=(export,)),
        Watched(organization=globex, erasure_ids=(erasure,)),
    ]
    for owner in (acme, globex):
        wait_for_seals(stack, owner)
    return Given(watched=watched, deleted=initech, erased=hooli, certificate=wait_for_certificate(stack, hooli))


def send(stack: Stack, organization: DemoOrganization, events: int) -> None:
    """Send *events* more events, and wait until they are stored."""
    stored = count_stored(stack, organization)
    now = datetime.now(UTC).isoformat()
    batch = [
        {
            "event_type": "purchase",
            "event_name": "Order Completed",
            "device_id": f"device-{number % 7}",
            "platform": "web",
            "event_timestamp": now,
            "event_id": secrets.token_hex(8),
            "revenue": "1.25",
            "currency": "EUR",
        }
        for number in range(events)
    ]
    call(f"{stack.api_url}/events", organization.write_key, body={"events": batch})
    wait_until(say, "the events", lambda: count_stored(stack, organization) == stored + events)


def send_ahead(stack: Stack, organization: DemoOrganization) -> None:
    """Send an event of a clock that is three days ahead, which is held."""
    event = {
        "type": "track",
        "event": "Order Completed",
        "anonymousId": "device-ahead",
        "timestamp": (datetime.now(UTC) + timedelta(days=3)).isoformat(),
    }
    call(f"{stack.api_url}/batch", organization.write_key, body={"batch": [event]})
    wait_until(say, "the held event", lambda: get(stack, organization, "/usage")["held"]["count"] == 1)


def wait_for_seals(stack: Stack, organization: DemoOrganization) -> None:
    """Wait until all entries of the organization's audit log are sealed."""
    wait_until(say, "the seals", lambda: get(stack, organization, "/audit/verify")["unsealed"] == 0)


def wait_for_certificate(stack: Stack, organization: DemoOrganization) -> Document:
    """Return the deletion certificate as soon as there is one."""
    wait_until(say, "the certificate", lambda: find_certificate(stack, organization) is not None)
    return find_certificate(stack, organization) or {}


def say(line: str) -> None:
    """Print a line of progress."""
    print(f"upgrade: {line}", flush=True)
