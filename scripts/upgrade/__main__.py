"""Upgrade a stack of the release before to the last commit, with the data of its organizations.

scripts/previous-release names the release before. `make test-upgrade` starts it in a clone of the repository, lets
organizations use it, and checks three things:

1. its functions work on the new schemas, as they must during a deploy;
2. after the upgrade each organization sees the data that it saw before, and its keys still work;
3. a deletion that was under way ends with a certificate, and an older certificate is still the same.
"""

import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.demo.client import Stack, provision, roll_up
from scripts.demo.deletion import delete
from scripts.upgrade.activity import Given, say, send, use, wait_for_certificate
from scripts.upgrade.checkout import ROOT, Checkout
from scripts.upgrade.footprint import Footprint


def main() -> int:
    """Upgrade, and return 1 if a check failed."""
    _tag, before = (ROOT / "scripts" / "previous-release").read_text(encoding="utf-8").split()
    after = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip()
    with tempfile.TemporaryDirectory(prefix="upgrade-") as folder:
        Path(folder).chmod(0o755)  # for root, PostgreSQL runs as another user
        checkout = Checkout.clone(Path(folder) / "checkout")
        try:
            wrong = upgrade(checkout, before, after)
        finally:
            checkout.stop()
    for line in wrong:
        print(f"upgrade: WRONG: {line}")
    say("FAILED" if wrong else "the data is the same, and the stack works")
    return 1 if wrong else 0


def upgrade(checkout: Checkout, before: str, after: str) -> list[str]:
    """Run all steps, and return the failed checks."""
    say(f"Starting the release before, {before[:7]}")
    stack = checkout.start(before)
    given = use(stack)
    seen = [each.read(stack) for each in given.watched]
    say("Migrating the schemas under its functions")
    applied = checkout.migrate()
    say(f"  {', '.join([*applied.postgres, *applied.clickhouse]) or 'no migration is new'}")
    wrong = compare("on the new schemas", given, seen, stack)
    seen = send_more(stack, given)
    say("Deleting an organization, and starting the last commit")
    delete(stack, given.deleted)
    stack = checkout.start(after)
    wrong += compare("after the upgrade", given, seen, stack)
    send_more(stack, given)
    say("Waiting for the certificate of the organization that was deleted before the upgrade")
    wait_for_certificate(stack, given.deleted)
    if wait_for_certificate(stack, given.erased) != given.certificate:
        wrong.append("the certificate of the organization that was erased before the upgrade has changed")
    return wrong


def compare(moment: str, given: Given, before: list[Footprint], stack: Stack) -> list[str]:
    """Return the parts of the footprints that differ from those *before*."""
    wrong = []
    for watched, old in zip(given.watched, before, strict=True):
        new = watched.read(stack)
        wrong += [
            f"{watched.organization.name}'s {name} {moment}: {getattr(new, name)}, before: {getattr(old, name)}"
            for name in Footprint.__dataclass_fields__
            if getattr(new, name) != getattr(old, name)
        ]
    return wrong


def send_more(stack: Stack, given: Given) -> list[Footprint]:
    """Let the organizations send and roll up, provision another one, and return the new footprints.

    Raises:
        TimeoutError: events do not arrive.
    """
    for watched in given.watched:
        send(stack, watched.organization, 1)
    provision(stack, "new", "starter", secrets.token_hex(3))
    roll_up(stack)
    return [watched.read(stack) for watched in given.watched]


if __name__ == "__main__":
    sys.exit(main())
