"""Show two organizations on the embedded stack: events, statistics and people.

acme (starter) sends through Segment's Python SDK, globex (growth) over plain HTTP. acme's administrator logs in,
invites a member and rotates a key. Then globex is deleted, restored, deleted again and erased. The status is 0 only if
every sent event is accepted, stored and counted once, for the right organization alone, if the rotated key and the
member without the permission are refused, if nothing is left of globex but a certificate that verifies, and if nothing
of acme is lost.
"""

import secrets
import sys

from scripts.demo.client import DemoOrganization, Stack, get, provision, refusal, say
from scripts.demo.deletion import end
from scripts.demo.figures import send_and_count, show_figures, show_statistics, statistics
from scripts.demo.next_steps import show_next_steps
from scripts.demo.people import show_people


def main() -> int:
    """Run the demo, and fail if a figure is wrong."""
    stack = Stack.load()
    run = secrets.token_hex(3)
    say("Provisioning acme (starter) and globex (growth)")
    acme, globex = provision(stack, "acme", "starter", run), provision(stack, "globex", "growth", run)
    figures = send_and_count(stack, acme, globex)
    show_figures(figures)
    show_statistics(stack, (acme, globex))
    apart = are_apart(stack, acme, globex)
    acme = show_people(stack, acme)
    ended = end(stack, globex, acme)
    show_next_steps(stack, acme)
    return 0 if apart and ended and all(each.agree for each in figures) else 1


def are_apart(stack: Stack, acme: DemoOrganization, globex: DemoOrganization) -> bool:
    """Try to read the other organization's data, and report the answer."""
    mismatch = refusal(lambda: get(stack, acme, "/usage", {"X-Organization-ID": globex.id}))
    names = {each.name: {row["event_name"] for row in statistics(stack, each)} for each in (acme, globex)}
    apart = mismatch == "tenant_mismatch" and not names["acme"] & names["globex"]
    leak = "LEAK: acme's key was not refused for globex, or the two organizations share an event name"
    say(f"acme's key with globex's X-Organization-ID: {mismatch}; event names in common: none" if apart else leak)
    return apart


if __name__ == "__main__":
    sys.exit(main())
