"""Upgrades and roll-backs, by deploys and by aliases, while clients send and read."""

import secrets
from typing import Final

from scripts.demo.client import DemoOrganization, Stack, aws_client, call, get, provision, roll_up
from scripts.deploy.versions import ALIAS, list_functions
from scripts.upgrade.activity import say
from scripts.upgrade.clients import Clients, Sent
from scripts.upgrade.ledger import read_ledger
from scripts.upgrade.releases import Releases

ANSWERS: Final = 100  # before the first step, and after each one
PREVIOUS: Final = -2  # of the published versions, the newest last
NEWEST: Final = -1


def shift_under_traffic(releases: Releases, stack: Stack, *, first: str, second: str) -> list[str]:
    """Deploy *second*, *first* and *second* again, then move the aliases back and forth, all under traffic.

    Return the failed checks.
    """
    run = secrets.token_hex(3)
    owners = [provision(stack, name, "enterprise", run) for name in ("acme", "globex")]
    with Clients(stack.api_url, owners) as clients:
        clients.wait_for_answers(ANSWERS)
        for step, change in (
            ("upgrade", lambda: releases.deploy(second)),
            ("roll-back", lambda: releases.deploy(first)),
            ("second upgrade", lambda: releases.deploy(second)),
            ("deploy of new versions", lambda: releases.deploy_again(second)),
            ("roll-back of aliases", lambda: move_aliases(stack, PREVIOUS)),
            ("return of aliases", lambda: move_aliases(stack, NEWEST)),
        ):
            say(f"Clients send and read during the {step}")
            clients.enter(step)
            change()
            clients.enter(f"after the {step}")
            clients.wait_for_answers(ANSWERS)
    for line in clients.answers.describe():
        say(f"  {line}")
    wrong = clients.answers.faults()
    for each in owners:
        wrong += audit(stack, each, clients.sent[each.id])
    return wrong


def move_aliases(stack: Stack, place: int) -> None:
    """Let the alias of each function lead to the version at *place* of its published ones."""
    aws_lambda = aws_client(stack, "lambda")
    for each in list_functions(aws_client(stack, "cloudformation"), aws_lambda, stack.stack_name):
        number = str(each.versions[place].number)
        aws_lambda.update_alias(FunctionName=each.name, Name=ALIAS, FunctionVersion=number)


def redrive(stack: Stack, owner: DemoOrganization) -> int:
    """Send the dead letters of *owner* to the queue again, and return their number."""
    sent = 0
    while True:
        answer = call(
            f"{stack.api_url}/organizations/{owner.id}/dead-letters/redrive", stack.platform_key, method="POST"
        )
        sent += int(answer["redriven"])
        if not answer["waiting"]:
            return sent


def audit(stack: Stack, owner: DemoOrganization, sent: Sent) -> list[str]:
    """Compare the events that *owner* sent with the stored, billed and counted ones. Return the differences.

    Dead letters of the roll-back are sent back first, as docs/upgrade.md tells the operator.
    """
    say(f"  {owner.name}: {redrive(stack, owner)} dead letters of the roll-back are sent back")
    ledger = read_ledger(stack.clickhouse_url, owner.id, sent)
    roll_up(stack)
    used = get(stack, owner, "/usage")["quotas"]["events"]["used"]
    counted = sum(row["events"] for row in get(stack, owner, "/stats?group_by=day")["data"])
    say(f"  {owner.name}: {len(ledger.accepted)} events accepted, {len(ledger.stored)} stored, {used} billed")
    return [
        f"{owner.name}: {fault}" for fault in [*ledger.faults(), *ledger.billing_faults(used=used, counted=counted)]
    ]
