"""The events of the demo: sent by two organizations, stored, counted, and shown as figures."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import segment.analytics

from scripts.demo.client import DemoOrganization, Stack, call, count_stored, get, roll_up, say
from scripts.progress import progress

ACME_EVENTS: Final = 2_000
GLOBEX_EVENTS: Final = 3_000
BATCH: Final = 500
DEVICES: Final = 40
LOAD_SECONDS: Final = 600.0  # a busy machine is slow
POLL_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The number of events at each station. All numbers must be equal."""

    organization: str
    sent: int
    accepted: int
    stored: int
    counted: int

    @property
    def agree(self) -> bool:
        """Tell whether no event was lost or doubled on the way."""
        return self.sent == self.accepted == self.stored == self.counted


def send_and_count(stack: Stack, acme: DemoOrganization, globex: DemoOrganization) -> list[Figures]:
    """Send the events of both organizations, wait until they are stored, and count them."""
    say(f"acme sends {ACME_EVENTS} events through Segment's Python SDK, globex {GLOBEX_EVENTS} over POST /v1/events")
    accepted = {acme.name: send_with_sdk(stack, acme), globex.name: send_over_http(stack, globex)}
    sent = {acme.name: ACME_EVENTS, globex.name: GLOBEX_EVENTS}
    say("Waiting until they are in ClickHouse")
    with progress(say, "Waiting"):
        stored = {each.name: wait_for_load(stack, each, sent[each.name]) for each in (acme, globex)}
    say("Running the hourly roll-up now")
    with progress(say, "Roll-up"):
        roll_up(stack)
    return [
        Figures(
            organization=each.name,
            sent=sent[each.name],
            accepted=accepted[each.name],
            stored=stored[each.name],
            counted=get(stack, each, "/usage")["quotas"]["events"]["used"],
        )
        for each in (acme, globex)
    ]


def send_with_sdk(stack: Stack, organization: DemoOrganization) -> int:
    """Send as an app does, and return the number of events that the SDK delivered."""
    failed: list[object] = []
    client = segment.analytics.Client(
        organization.write_key,
        host=stack.api_url.removesuffix("/v1"),
        gzip=True,
        on_error=lambda _error, batch: failed.extend(batch),
    )
    for number in range(ACME_EVENTS):
        client.track(
            user_id=f"user-{number % DEVICES}",
            event="Order Completed" if number % 4 == 0 else "Product Viewed",
            properties={"revenue": "9.99", "currency": "EUR"} if number % 4 == 0 else {"sku": f"sku-{number % 7}"},
            message_id=f"acme-{number}",
        )
    client.flush()
    client.join()
    return ACME_EVENTS - len(failed)


def send_over_http(stack: Stack, organization: DemoOrganization) -> int:
    """Send as a server does, and return the number of events that the API accepted."""
    now = datetime.now(UTC).isoformat()
    events = [
        {
            "event_type": "purchase" if number % 3 == 0 else "open",
            "event_name": "Subscription Started" if number % 3 == 0 else "App Opened",
            "device_id": f"device-{number % DEVICES}",
            "platform": "android",
            "event_timestamp": now,
            "event_id": f"globex-{number}",
            "revenue": "4.50" if number % 3 == 0 else "0",
        }
        for number in range(GLOBEX_EVENTS)
    ]
    batches = [events[start : start + BATCH] for start in range(0, len(events), BATCH)]
    answers = [call(f"{stack.api_url}/events", organization.write_key, body={"events": batch}) for batch in batches]
    return sum(answer["accepted"] for answer in answers)


def wait_for_load(stack: Stack, organization: DemoOrganization, expected: int) -> int:
    """Return the number of events in ClickHouse, once it is *expected* or time is up."""
    deadline = time.monotonic() + LOAD_SECONDS
    while (stored := count_stored(stack, organization)) < expected and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return stored


def show_figures(figures: Sequence[Figures]) -> None:
    """Print the count of every station."""
    print(f"\n  {'':8}{'sent':>8}{'accepted':>10}{'stored':>8}{'counted':>9}")
    for each in figures:
        mark = "ok" if each.agree else "DIFFERENT"
        print(f"  {each.organization:8}{each.sent:8}{each.accepted:10}{each.stored:8}{each.counted:9}  {mark}")


def statistics(stack: Stack, organization: DemoOrganization) -> list[dict[str, Any]]:
    """Return the organization's statistics by event name."""
    rows: list[dict[str, Any]] = get(stack, organization, "/stats?group_by=event_name")["data"]
    return rows


def show_statistics(stack: Stack, organizations: Sequence[DemoOrganization]) -> None:
    """Print each organization's statistics, read with its own key."""
    print(f"\n  {'':8}{'event':24}{'events':>8}{'devices':>9}  revenue")
    for each in organizations:
        for row in statistics(stack, each):
            revenue = ", ".join(f"{amount} {currency}" for currency, amount in row["revenue"].items() if amount != "0")
            print(f"  {each.name:8}{row['event_name']:24}{row['events']:8}{row['unique_devices']:9}  {revenue}")
    print()
