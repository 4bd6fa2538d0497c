"""Upgrade a stack of the release before to the last commit, with the data and the traffic of its organizations.

scripts/previous-release names the release before. `make test-upgrade` deploys it, lets organizations use it, and checks
five things:

1. its functions work on the new schemas, as they must during a deploy, and pass its own tests of a deployed stack;
2. while clients send and read, an upgrade, a roll-back and another upgrade give no wrong answer;
3. each event that was accepted meanwhile is stored once and billed once;
4. after the upgrade each organization sees the data that it saw before, and its keys still work;
5. a deletion that was under way ends with a certificate, and an older certificate is still the same.

The servers of the stack run all the time. They are those of the last commit.
"""

import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from scripts.demo.client import Stack, provision, roll_up
from scripts.demo.deletion import delete
from scripts.upgrade.activity import Given, say, send, use, wait_for_certificate
from scripts.upgrade.footprint import Footprint
from scripts.upgrade.releases import ROOT, Releases
from scripts.upgrade.shifts import shift_under_traffic

BEFORE: Final = "before"
AFTER: Final = "after"


def main() -> int:
    """Upgrade, and return 1 if a check failed."""
    os.environ.pop("PYTHONPATH", None)  # each release imports its own code
    _tag, before = (ROOT / "scripts" / "previous-release").read_text(encoding="utf-8").split()
    after = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip()
    with tempfile.TemporaryDirectory(prefix="upgrade-") as folder:
        Path(folder).chmod(0o755)  # for root, PostgreSQL runs as another user
        releases = Releases.clone(Path(folder), {BEFORE: before, AFTER: after}, servers=AFTER)
        try:
            wrong = upgrade(releases)
        finally:
            releases.stop()
    for line in wrong:
        print(f"upgrade: WRONG: {line}")
    say("FAILED" if wrong else "the data is the same, and the stack works")
    return 1 if wrong else 0


def upgrade(releases: Releases) -> list[str]:
    """Run all steps, and return the failed checks."""
    say("Deploying the release before")
    stack = releases.deploy(BEFORE)
    releases.build(AFTER)
    given = use(stack)
    seen = [each.read(stack) for each in given.watched]
    say("Migrating the schemas under its functions")
    applied = releases.migrate()
    say(f"  {', '.join([*applied.postgres, *applied.clickhouse]) or 'no migration is new'}")
    wrong = compare("on the new schemas", given, seen, stack)
    seen = send_more(stack, given)
    say("Running its own tests of the deployed stack")
    if not releases.run_its_tests(BEFORE):
        wrong.append("tests of the release before fail on the new schemas")
    say("Deleting an organization")
    delete(stack, given.deleted)
    wrong += shift_under_traffic(releases, stack, first=BEFORE, second=AFTER)
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
