"""Run outbox entries: their kinds, and the side effect of each kind.

Reasons: docs/decisions/0008-outbox.md. Most functions that import this module send no mail and have few targets. So the
modules of the targets are not imported here (docs/decisions/0012-hot-path-imports.md).
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from uuid import UUID

from tenancy.errors import InternalError, Refusal
from tenancy.rules.durations import EXPORT_LINK_LIFETIME, OUTBOX_CLAIM_TIME, OUTBOX_FIRST_BACKOFF, OUTBOX_MAX_BACKOFF
from tenancy.rules.mails import (
    TEMPLATES,
    Mail,
    MailRefusedError,
    describe_larger_tier,
    describe_quota_effect,
    render_mail,
)
from tenancy.rules.register import RegisterEntry
from tenancy.rules.usage_plans import UsagePlan
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.organizations import get_gateway_key
from tenancy.stores.postgres.platform.outbox import (
    OutboxEntry,
    claim_entries,
    count_parked_entries,
    delete_entry,
    find_oldest_entry,
    park_entry,
    unclaim_entries,
    update_entry_failed,
)
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.publish_standing import publish_standing
from tenancy.use_cases.schedule.failures import skip_moved

if TYPE_CHECKING:
    from tenancy.stores.aws.domain_executions import DomainExecutions
    from tenancy.stores.aws.event_bus import EventBus
    from tenancy.stores.aws.executions import Executions
    from tenancy.stores.aws.export_links import ExportLinks
    from tenancy.stores.aws.gateway_keys import GatewayKeys
    from tenancy.stores.aws.mail import Mailer
    from tenancy.stores.aws.register import Register

QUOTA_THRESHOLD_REACHED: Final = "Quota threshold reached"
LAST_ATTEMPT: Final = 30  # about a day
BATCH: Final = 25
MAILS_EACH: Final = 5  # per organization in a batch


class OutboxKind(StrEnum):
    """The kind of an outbox entry. A mail's kind names its template (mails.py)."""

    STANDING = "standing"
    CREDENTIAL = "credential"  # the state of a key or member, with the standing
    REGISTRATION = "registration"  # of ended keys, in the register that a restore replays
    GATEWAY_KEY = "gateway_key"  # of a new organization only: a change of the plan creates its key before the commit
    GATEWAY_KEY_REMOVAL = "gateway_key_removal"
    WELCOME_MAIL = "welcome_mail"
    QUOTA_MAIL = "quota_mail"
    QUOTA_EVENT = "quota_event"
    DELETION_MAIL = "deletion_mail"
    RESTORED_MAIL = "restored_mail"
    ERASED_MAIL = "erased_mail"
    SESSION_REUSE_MAIL = "session_reuse_mail"
    DELETION_EXECUTION = "deletion_execution"
    EXPORT_MAIL = "export_mail"
    KEY_ROTATION_MAIL = "key_rotation_mail"
    BREAK_GLASS_MAIL = "break_glass_mail"
    SSO_ENDED_MAIL = "sso_ended_mail"
    FIRST_PASSWORD_MAIL = "first_password_mail"  # noqa: S105 - a kind
    EMAIL_DOMAIN_MISSING_MAIL = "email_domain_missing_mail"
    EMAIL_DOMAIN_WITHDRAWN_MAIL = "email_domain_withdrawn_mail"
    CUSTOM_DOMAIN_MISSING_MAIL = "custom_domain_missing_mail"
    CUSTOM_DOMAIN_WITHDRAWN_MAIL = "custom_domain_withdrawn_mail"
    CUSTOM_DOMAIN_CERTIFICATE_MAIL = "custom_domain_certificate_mail"
    INVITATION_MAIL = "invitation_mail"
    PASSWORD_RESET_MAIL = "password_reset_mail"  # noqa: S105 - a kind
    PASSWORD_CHANGED_MAIL = "password_changed_mail"  # noqa: S105 - a kind


# Mails whose token is made when they are sent.
WITH_TOKENS: Final = frozenset(
    {OutboxKind.INVITATION_MAIL, OutboxKind.PASSWORD_RESET_MAIL, OutboxKind.FIRST_PASSWORD_MAIL}
)
# Nothing else depends on these kinds, so they are parked after the last attempt. All others are retried for ever.
PARKABLE: Final = frozenset({*TEMPLATES, OutboxKind.QUOTA_EVENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxTargets:
    """The targets of outbox entries outside the database.

    A function has the targets of its own entries. The sweep has all, and *domain_executions*, which no entry starts.
    *upgrade_url* is the link in mails about quotas, *api_url* the start of links to the console and to images.
    """

    redis: Redis | None = None
    register: "Register | None" = None
    gateway_keys: "GatewayKeys | None" = None
    mailer: "Mailer | None" = None
    event_bus: "EventBus | None" = None
    executions: "Executions | None" = None
    domain_executions: "DomainExecutions | None" = None
    export_links: "ExportLinks | None" = None
    upgrade_url: str | None = None
    api_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRun:
    """The kinds of the entries that ran, and of those that failed and are pending."""

    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    def __add__(self, other: "OutboxRun") -> "OutboxRun":
        """Return the sum of two runs."""
        return OutboxRun(done=self.done + other.done, failed=self.failed + other.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxBacklog:
    """The age of the oldest runnable entry, and the number of parked entries.

    Parked entries are not retried.
    """

    oldest: timedelta
    parked: int


def run_due_entries(
    platform_db: Database,
    targets: OutboxTargets,
    *,
    now: datetime,
    organization_id: UUID | None = None,
    kind: str | None = None,
    has_time: Callable[[], bool] = lambda: True,
) -> OutboxRun:
    """Run the due entries while there is time: of one organization and kind, or of all.

    An entry is claimed, run, then deleted. If the process dies in between, the entry runs again after its claim has
    expired. So every side effect is idempotent, or harmless when repeated (a mail). Claims of entries that there was no
    time for are released.
    """
    done: list[str] = []
    failed: list[str] = []
    while has_time() and (entries := deque(_claim(platform_db, now, organization_id, kind))):
        while entries and has_time():
            entry = entries.popleft()
            with skip_moved():
                is_done = run_entry(platform_db, targets, entry, now=now)
                (done if is_done else failed).append(entry.kind)
        if entries:
            _unclaim(platform_db, entries)
    return OutboxRun(done=tuple(done), failed=tuple(failed))


def run_entry(platform_db: Homes, targets: OutboxTargets, entry: OutboxEntry, *, now: datetime) -> bool:
    """Run a claimed entry and delete it, or record its error and return False.

    A failed entry is retried later. Two entries are parked instead: a mail that SES rejects, and an entry of a
    `PARKABLE` kind after its last attempt.
    """
    try:
        _run_unless_stale(platform_db, targets, entry, now=now)
    except MailRefusedError as error:
        _park(platform_db, entry, str(error))
        return False
    except Refusal as refusal:
        if entry.kind in PARKABLE and entry.attempts >= LAST_ATTEMPT:
            _park(platform_db, entry, refusal.detail)
        else:
            _record_failure(platform_db, entry, refusal, now=now)
        return False
    with platform_db.tenant_transaction(entry.organization_id) as conn:
        delete_entry(conn, entry)
    return True


def run_entries_now(
    platform_db: Homes, targets: OutboxTargets, organization_id: UUID, kind: str, *, now: datetime
) -> bool:
    """Run the organization's unclaimed entries of one kind now, also those waiting for a retry.

    Return whether all of them succeeded.
    """
    entries = _claim(platform_db.of(organization_id), now, organization_id, kind, before_due=True)
    are_done = [run_entry(platform_db, targets, entry, now=now) for entry in entries]
    return all(are_done)


def find_outbox_backlog(platform_db: Database, *, now: datetime) -> OutboxBacklog:
    """Return the backlog of the outbox."""
    with platform_db.transaction() as conn:
        oldest, parked = find_oldest_entry(conn), count_parked_entries(conn)
    return OutboxBacklog(oldest=now - oldest if oldest is not None else timedelta(), parked=parked)


def _claim(
    platform_db: Database, now: datetime, organization_id: UUID | None, kind: str | None, *, before_due: bool = False
) -> list[OutboxEntry]:
    with platform_db.transaction() as conn:
        return claim_entries(
            conn,
            now=now,
            until=now + OUTBOX_CLAIM_TIME,
            limit=BATCH,
            mails_each=MAILS_EACH,
            organization_id=organization_id,
            kind=kind,
            before_due=before_due,
        )


def _unclaim(platform_db: Database, entries: Iterable[OutboxEntry]) -> None:
    with platform_db.transaction() as conn:
        unclaim_entries(conn, entries)


def _park(platform_db: Homes, entry: OutboxEntry, error: str) -> None:
    with platform_db.tenant_transaction(entry.organization_id) as conn:
        park_entry(conn, entry, error=error)


def _record_failure(platform_db: Homes, entry: OutboxEntry, refusal: Refusal, *, now: datetime) -> None:
    backoff = min(OUTBOX_FIRST_BACKOFF * 2 ** min(entry.attempts - 1, 20), OUTBOX_MAX_BACKOFF)
    with platform_db.tenant_transaction(entry.organization_id) as conn:
        update_entry_failed(conn, entry, error=refusal.detail, due_at=now + backoff)


def _run_unless_stale(platform_db: Homes, targets: OutboxTargets, entry: OutboxEntry, *, now: datetime) -> None:
    try:
        if not _is_stale(platform_db, entry):
            _run_kind(platform_db, targets, entry, now=now)
    except (KeyError, ValueError) as error:
        raise InternalError(f"The payload of the outbox entry does not fit its kind {entry.kind!r}.") from error


def _is_stale(platform_db: Homes, entry: OutboxEntry) -> bool:
    """Tell whether the entry would restore a gateway key that a change of the plan replaced."""
    if entry.kind != OutboxKind.GATEWAY_KEY:
        return False
    value: str = entry.payload["value"]
    with platform_db.tenant_transaction(entry.organization_id) as conn:
        return value != get_gateway_key(conn, entry.organization_id)


def _run_kind(platform_db: Homes, targets: OutboxTargets, entry: OutboxEntry, *, now: datetime) -> None:
    organization_id, payload = entry.organization_id, entry.payload
    match entry.kind:
        case OutboxKind.STANDING | OutboxKind.CREDENTIAL:
            _publish(platform_db, targets, entry)
        case OutboxKind.REGISTRATION:
            registered = RegisterEntry(name=payload["name"], content=payload["content"])
            _require_target(targets.register).put(registered)
        case OutboxKind.GATEWAY_KEY:
            plan = UsagePlan(payload["tier"])  # the plan of a new organization has the name of its tier
            _require_target(targets.gateway_keys).put_key(organization_id, payload["value"], plan)
        case OutboxKind.GATEWAY_KEY_REMOVAL:
            _require_target(targets.gateway_keys).delete_key(organization_id, payload["value"])
        case OutboxKind.EXPORT_MAIL:
            names = payload["names"]
            links = [
                _require_target(targets.export_links).link(organization_id, name, valid_for=EXPORT_LINK_LIFETIME)
                for name in names
            ]
            mail = render_mail(entry.kind, {**payload, "links": "\n".join(links)})
            _send_branded(platform_db, targets, organization_id, mail)
        case OutboxKind.QUOTA_MAIL:
            values = {
                **payload,
                "effect": describe_quota_effect(payload["metric"]),
                "larger_tier": describe_larger_tier(targets.upgrade_url),
            }
            _send_branded(platform_db, targets, organization_id, render_mail(entry.kind, values))
        case kind if kind in TEMPLATES:
            _send_mail(platform_db, targets, entry, now=now)
        case OutboxKind.DELETION_EXECUTION:
            purge_at = datetime.fromisoformat(payload["purge_at"])
            _require_target(targets.executions).start(organization_id, payload["generation"], purge_at=purge_at)
        case OutboxKind.QUOTA_EVENT:
            _require_target(targets.event_bus).put_event(organization_id, QUOTA_THRESHOLD_REACHED, payload)
        case _:
            raise InternalError(f"Unknown kind of outbox entry: {entry.kind!r}.")


def _publish(platform_db: Homes, targets: OutboxTargets, entry: OutboxEntry) -> None:
    redis = _require_target(targets.redis)
    credential_id = UUID(entry.payload["credential_id"]) if entry.kind == OutboxKind.CREDENTIAL else None
    publish_standing(platform_db, redis, entry.organization_id, credential_id=credential_id)


def _send_mail(platform_db: Homes, targets: OutboxTargets, entry: OutboxEntry, *, now: datetime) -> None:
    organization_id = entry.organization_id
    if entry.kind in WITH_TOKENS:
        from tenancy.use_cases.people.mail_token import mail_one_time_token  # noqa: PLC0415 - as the module says

        mailer, url = _require_target(targets.mailer), _require_target(targets.api_url)
        mail_one_time_token(platform_db, mailer, organization_id, entry.kind, entry.payload, api_url=url, now=now)
    elif entry.kind == OutboxKind.WELCOME_MAIL:
        from tenancy.use_cases.outbox.send_mail import send_welcome_mail  # noqa: PLC0415 - as the module says

        mailer, url = _require_target(targets.mailer), _require_target(targets.api_url)
        send_welcome_mail(platform_db, mailer, organization_id, entry.payload, api_url=url)
    else:
        _send_branded(platform_db, targets, organization_id, render_mail(entry.kind, entry.payload))


def _send_branded(platform_db: Homes, targets: OutboxTargets, organization_id: UUID, mail: Mail) -> None:
    from tenancy.use_cases.outbox.send_mail import send_mail  # noqa: PLC0415 - as the module says

    mailer = _require_target(targets.mailer)
    send_mail(platform_db, mailer, organization_id, mail, api_url=targets.api_url)


def _require_target[T](target: T | None) -> T:
    if target is None:
        raise InternalError("This function lacks the target of the outbox entry.")
    return target
