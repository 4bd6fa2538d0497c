"""An upgrade, a roll-back and another upgrade, while clients send and read."""

import secrets
from typing import Final

from scripts.demo.client import DemoOrganization, Stack, get, provision, roll_up
from scripts.upgrade.activity import say
from scripts.upgrade.clients import Clients, Sent
from scripts.upgrade.ledger import read_ledger
from scripts.upgrade.releases import Releases

ANSWERS: Final = 100  # before the first step, and after each one


def shift_under_traffic(releases: Releases, stack: Stack, *, first: str, second: str) -> list[str]:
    """Deploy *second*, *first* and *second* again under traffic, and return the failed checks."""
    run = secrets.token_hex(3)
    owners = [provision(stack, name, "enterprise", run) for name in ("acme", "globex")]
    with Clients(stack.api_url, owners) as clients:
        clients.wait_for_answers(ANSWERS)
        for step, release in (("upgrade", second), ("roll-back", first), ("second upgrade", second)):
            say(f"Clients send and read during the {step}")
            clients.enter(step)
            releases.deploy(release)
            clients.enter(f"after the {step}")
            clients.wait_for_answers(ANSWERS)
    for line in clients.answers.describe():
        say(f"  {line}")
    wrong = clients.answers.faults()
    for each in owners:
        wrong += audit(stack, each, clients.sent[each.id])
    return wrong


def audit(stack: Stack, owner: DemoOrganization, sent: Sent) -> list[str]:
    """Compare the events that *owner* sent with the stored, billed and counted ones. Return the differences."""
    ledger = read_ledger(stack.clickhouse_url, owner.id, sent)
    roll_up(stack)
    used = get(stack, owner, "/usage")["quotas"]["events"]["used"]
    counted = sum(row["events"] for row in get(stack, owner, "/stats?group_by=day")["data"])
    say(f"  {owner.name}: {len(ledger.accepted)} events accepted, {len(ledger.stored)} stored, {used} billed")
    return [
        f"{owner.name}: {fault}" for fault in [*ledger.faults(), *ledger.billing_faults(used=used, counted=counted)]
    ]
