"""Data on which each alarm of the template fires, and data on which it stays quiet.

Minutes are counted back from now. A metric that is not named has no data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

type Values = Mapping[int, list[float]]
type Data = Mapping[str, Values]  # by the metric's name

HTTP = (
    "Ingest",
    "Provision",
    "Usage",
    "Compliance",
    "HeldEvents",
    "DeadLetterRoutes",
    "Delete",
    "Audit",
    "Members",
    "Privacy",
    "Keys",
    "Health",
    "Console",
    "Identity",
    "Sso",
    "Branding",
    "Domains",
)
HISTORY = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An alarm's data: all of *fires* lead to an alarm, none of *quiet* does."""

    fires: tuple[Data, ...]
    quiet: tuple[Data, ...]


def once(*values: float, ago: int = 1) -> Values:
    """Return values of one minute."""
    return {ago: list(values)}


def each(minutes: int, value: float, *, since: int = HISTORY, until: int = 0) -> Values:
    """Return a value every so many *minutes*, from *since* minutes ago until *until* minutes ago."""
    return {minute: [value] for minute in range(until, since, minutes)}


def counted(metric: str, enough: int) -> Case:
    """Return the case of a count of which *enough* in 5 minutes are too many."""
    return Case(
        fires=({metric: once(*[1.0] * enough)}, {metric: {0: [1.0], 4: [enough - 1.0]}}),
        quiet=({}, {metric: once(*[1.0] * (enough - 1))} if enough > 1 else {metric: each(1, 0)}),
    )


def lasting(metric: str, value: float, *, minutes: int, fine: float = 0) -> Case:
    """Return the case of a state that must last for some *minutes*."""
    return Case(
        fires=({metric: each(1, value, since=minutes)}, {metric: each(1, value)}),
        quiet=({}, {metric: each(1, value, since=minutes - 6)}, {metric: each(1, fine)}),
    )


def given_back(metric: str, *, every: int, lasts: int) -> Case:
    """Return the case of messages that come again *every* so many minutes, and of a short failure."""
    return Case(
        fires=({metric: each(every, 1)}, {metric: each(every, 100, since=lasts + 1)}),
        quiet=({}, {metric: once(100)}, {metric: each(every, 100, since=lasts // 2)}),
    )


def backlog() -> Case:
    visible, in_flight = "ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"
    return Case(
        fires=(
            {visible: each(1, 6_000), in_flight: each(1, 5_000)},
            {visible: each(1, 0), in_flight: each(1, 10_001)},
            {visible: each(1, 10_001), in_flight: each(1, 0)},
        ),
        quiet=(
            {},
            {visible: each(1, 5_000), in_flight: each(1, 5_000)},
            {visible: each(1, 20_000, since=9), in_flight: each(1, 1_000, since=9)},
        ),
    )


def age(*, leaves: int, fine: float) -> Case:
    """Return the case of messages that no function reads, or that a function fails to process.

    Messages of the second kind leave the metric after *leaves* minutes, at their third receive.
    """
    metric = "ApproximateAgeOfOldestMessage"
    failing = {minute: [float(60 * ((HISTORY - minute) % leaves + 1))] for minute in range(HISTORY)}
    unread = {minute: [float(60 * (HISTORY - minute))] for minute in range(HISTORY)}
    return Case(fires=({metric: failing}, {metric: unread}), quiet=({}, {metric: each(1, 0)}, {metric: each(1, fine)}))


def age_in_queue() -> Case:
    """Return the case of a queue whose messages are hidden for 190 seconds after each receive."""
    return age(leaves=6, fine=250)


def age_in_drained_queue() -> Case:
    """Return the case of a queue whose messages are hidden for 400 seconds after each receive."""
    return age(leaves=13, fine=550)


def stopped(*, every: int, after: int, tolerated: int) -> Case:
    """Return the case of a schedule that runs *every* so many minutes and has stopped for *after* minutes."""
    metric = "Invocations"
    return Case(
        fires=({}, {metric: each(every, 1, until=after)}, {metric: each(every, 1, until=2 * after)}),
        quiet=({metric: each(every, 1)}, {metric: each(every, 1, until=tolerated)}),
    )


def left_errors() -> Case:
    """Return the case of runs of the authorizer that neither refused a credential nor counted a fault.

    The sweep counts 0 refusals and 0 faults each minute.
    """

    def data(errors: Values, refused: Values, faults: Values) -> Data:
        return {"Errors": errors, "CredentialRefused": refused, "AuthorizerFault": faults}

    none = dict(each(1, 0))
    return Case(
        fires=(
            data(each(1, 1), none, none),
            data(each(4, 1), none, none),
            data(each(1, 50), each(1, 40), each(1, 9)),
            data(each(1, 1), each(1, 0, until=7), each(1, 0, until=7)),
        ),
        quiet=(
            data({}, none, none),
            {},
            data(each(1, 0), none, none),
            data(each(1, 30), each(1, 30), none),
            data(each(1, 30), none, each(1, 30)),
            data(each(1, 30), each(1, 20), each(1, 10)),
            data(once(1, 1), none, none),
            data({5: [8]}, none | {4: [8]}, none),
        ),
    )


CASES: Final[Mapping[str, Case]] = MappingProxyType(
    {
        "AdmissionDegradedAlarm": counted("AdmissionDegraded", 11),
        "ApiFaultsAlarm": counted("5XXError", 6),
        "AuditAgeAlarm": age_in_queue(),
        "AuditBacklogAlarm": backlog(),
        "AuditDeadLettersAgeAlarm": age_in_drained_queue(),
        "AuditDeadLettersAlarm": counted("AuditDeadLetters", 1),
        "AuthorizerErrorsAlarm": left_errors(),
        "AuthorizerFaultsAlarm": counted("AuthorizerFault", 6),
        "AuthorizerTimeAlarm": Case(
            fires=({"Duration": once(20, 14_500, 30)},), quiet=({}, {"Duration": each(1, 14_000)})
        ),
        "CustomDomainAlarm": counted("ExecutionsFailed", 1),
        "DeadLettersAgeAlarm": age_in_drained_queue(),
        "DeadLettersAlarm": counted("DeadLetters", 1),
        "DeadLettersNotDrainedAlarm": given_back("DeadLettersNotDrained", every=7, lasts=30),
        "DeletionAlarm": counted("ExecutionsFailed", 1),
        "DeletionsNotCheckedAlarm": lasting("DeletionsNotChecked", 1, minutes=30),
        "DeletionsOverdueAlarm": Case(
            fires=({"DeletionsOverdue": once(1)}, {"DeletionsOverdue": each(1, 3)}), quiet=({},)
        ),
        "EffectsParkedAlarm": Case(fires=({"EffectsParked": once(2)},), quiet=({},)),
        "EventsAgeAlarm": age_in_queue(),
        "EventsBacklogAlarm": backlog(),
        "EventsNotLoadedAlarm": given_back("EventsNotLoaded", every=3, lasts=15),
        "GatewayThrottlesAlarm": counted("GatewayThrottled", 101),
        "KeySetRefusedAlarm": counted("KeySetRefused", 1),
        "LogInsNotCountedAlarm": counted("LogInsNotCounted", 10),
        "OldestEffectAlarm": Case(
            fires=({"OldestEffectSeconds": each(1, 3_601)},), quiet=({}, {"OldestEffectSeconds": each(1, 3_600)})
        ),
        "PinnedConnectionsAlarm": lasting("DatabaseConnectionsCurrentlySessionPinned", 6, minutes=15, fine=5),
        "PlatformKeysAlarm": counted("PlatformKeysDue", 1),
        "PrivacyJobsAlarm": counted("Errors", 1),
        "PrivacyJobsStoppedAlarm": stopped(every=1, after=15, tolerated=10),
        "RecordsNotWrittenAlarm": given_back("RecordsNotWritten", every=3, lasts=15),
        "ReplicaFallbacksAlarm": given_back("ReplicaFallbacks", every=7, lasts=30),
        "RejectedCallsAgeAlarm": age_in_drained_queue(),
        "RollUpAlarm": counted("Errors", 1),
        "RollUpStoppedAlarm": stopped(every=60, after=120, tolerated=70),
        "RowsCameBackAlarm": counted("RowsCameBack", 1),
        "StandingAlarm": counted("StandingNotPublished", 1),
        "SweepAlarm": counted("Errors", 1),
        "SweepStoppedAlarm": stopped(every=1, after=15, tolerated=10),
        "TenantMismatchAlarm": counted("TenantMismatch", 1),
        "TokenKeysAlarm": counted("Errors", 1),
        "RotateUsersAlarm": counted("Errors", 1),
        "TokenKeysStoppedAlarm": stopped(every=60, after=120, tolerated=70),
    }
    | {f"{function}ErrorsAlarm": counted("Errors", 1) for function in (*HTTP, "Drain", "Fetch", "Load", "Record")}
    | {f"{function}ThrottlesAlarm": counted("Throttles", 1) for function in (*HTTP, "Authorizer", "Fetch")}
)
