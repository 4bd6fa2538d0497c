"""The facts of a compliance report. A fact that the platform cannot read is marked as not known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from tenancy.rules.durations import DELETION_OVERDUE_AFTER, RECOUNT_DEADLINE, SUBJECT_ERASURE_DEADLINE
from tenancy.rules.erasures import ErasureStatus
from tenancy.rules.keys.managed_keys import due_after
from tenancy.rules.organization import OrganizationStatus

MAX_SHOWN: Final = 100  # rows of each list of a report
MAX_READ_ENTRIES: Final = 100_000  # entries of audit logs that a report reads: some tenths of a second
MAX_TABLES: Final = 500  # the schema has about 50
MAX_POLICIES: Final = 20  # shown of one table
MAX_SETTINGS: Final = 50  # in a section; the code lists about 20


class SettingState(StrEnum):
    """The state of a setting as the platform reads it."""

    ON = "on"
    OFF = "off"
    NOT_KNOWN = "not_known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting of the deployment: an *aspect* of its *subject*, such as the encryption of a queue."""

    subject: str
    aspect: str
    state: SettingState
    detail: str

    @classmethod
    def of(cls, subject: str, aspect: str, detail: str | None, *, absent: str = "") -> "Setting":
        """Return a setting that is on with *detail*, or off if *detail* is None."""
        state = SettingState.OFF if detail is None else SettingState.ON
        return cls(subject=subject, aspect=aspect, state=state, detail=absent if detail is None else detail)

    @classmethod
    def not_known(cls, subject: str, aspect: str, reason: str) -> "Setting":
        """Return a setting that the platform cannot read, for *reason*."""
        return cls(subject=subject, aspect=aspect, state=SettingState.NOT_KNOWN, detail=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPolicy:
    """A policy of row-level security. *command* is `ALL`, or the command that it is for."""

    name: str
    command: str
    is_permissive: bool
    roles: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSecurity:
    """The row-level security of one table of tenants."""

    table: str
    is_enabled: bool
    is_forced: bool
    policies: Sequence[RowPolicy]

    @property
    def is_protected(self) -> bool:
        """Whether policies bind every role, including the owner of the table."""
        return self.is_enabled and self.is_forced and bool(self.policies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed[Row]:
    """The number of all rows, and the first `MAX_SHOWN` of them."""

    count: int
    rows: Sequence[Row]


class AccessKind(StrEnum):
    """A reason to list an entry of an audit log. An entry may have several."""

    OPERATOR = "operator"
    EXPORT = "export"
    AUDIT_READ = "audit_read"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEntry:
    """An entry of an audit log, without addresses.

    *target* is set for mismatches only: the places that named another organization. *count* is the number of equal
    refusals.
    """

    id: UUID
    organization_id: UUID
    occurred_at: datetime
    actor_kind: str
    actor_id: UUID
    action: str
    outcome: str
    target: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogExcerpt:
    """The entries of a period by kind, newest first.

    *read* is the number of the newest entries that were read. If it is `MAX_READ_ENTRIES`, older ones are not counted.
    """

    read: int
    entries: dict[AccessKind, Listed[AccessEntry]]

    @property
    def is_complete(self) -> bool:
        """Whether all entries of the period were read."""
        return self.read < MAX_READ_ENTRIES


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionState:
    """The deletion of an organization, and its certificates so far."""

    organization_id: UUID
    status: OrganizationStatus
    deleted_at: datetime | None
    purge_at: datetime | None
    erased_at: datetime | None
    certificates: int
    last_certified_at: datetime | None

    @property
    def due_at(self) -> datetime | None:
        """The deadline of the next step: the erasure, then the second count. None after it."""
        if self.status is not OrganizationStatus.ERASED:
            return None if self.purge_at is None else self.purge_at + DELETION_OVERDUE_AFTER
        if self.certificates > 1 or self.erased_at is None:
            return None
        return self.erased_at + RECOUNT_DEADLINE

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether the deadline has passed."""
        return self.due_at is not None and self.due_at <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectErasure:
    """An erasure of a data subject, without its name and its digest."""

    id: UUID
    subject_kind: str
    status: ErasureStatus
    requested_at: datetime
    erased_at: datetime | None
    confirmed_at: datetime | None

    @property
    def due_at(self) -> datetime:
        """The time until which the stored rows are to be erased."""
        return self.requested_at + SUBJECT_ERASURE_DEADLINE

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether the rows are still stored after the deadline."""
        return self.status is ErasureStatus.PENDING and self.due_at <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureCounts:
    """The numbers of erasures of data subjects, by state. *overdue* ones are pending after their deadline."""

    pending: int
    erased: int
    confirmed: int
    overdue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAge:
    """The age of a live key that has not been rotated. *rotation_days* is None without a rotation policy."""

    id: UUID
    kind: str
    created_at: datetime
    expires_at: datetime | None
    rotation_days: int | None

    @property
    def rotate_by(self) -> datetime | None:
        """The time until which the key is to be rotated, or None for never."""
        return due_after(self.rotation_days, self.created_at)

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether the key should have been rotated."""
        return self.rotate_by is not None and self.rotate_by <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueKeys:
    """The keys of one organization that are overdue for a rotation."""

    organization_id: UUID
    keys: int
    oldest_created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The drift of the roll-ups of a period. The sums cover the *measured* roll-ups, which have recorded it."""

    roll_ups: int
    measured: int
    counter_events: int
    statistics_events: int
