"""Records of an audit log: actor, action, target and outcome."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID, uuid4, uuid5

import msgspec

from tenancy.rules.tenant import CallerKind

PLATFORM_LOG: Final = UUID(int=0)  # the log of the platform itself; no organization has this id


class AuditOutcome(StrEnum):
    """The outcome of an action.

    Reads count as done.
    """

    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The actor of an action, and the request that caused it.

    *id* is the id of the key or the user. *source_address* is the IP address of the client, a personal value.
    """

    kind: CallerKind
    id: UUID
    request_id: str
    source_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """An entry of a log before it is stored.

    It never changes. *action* is a name for a change (`organization.provisioned`), and `<method> <route>` for a read or
    a refusal. *target* is the object of the action. *code* is the code of the refusal. *count* is the number of equal
    refusals within one minute.
    """

    occurred_at: datetime
    actor: Actor
    action: str
    outcome: AuditOutcome
    target: str = ""
    code: str = ""
    count: Annotated[int, msgspec.Meta(ge=1)] = 1
    id: UUID = field(default_factory=uuid4)

    @classmethod
    def done(cls, action: str, target: str, actor: Actor, *, now: datetime) -> "AuditRecord":
        """Return the record of a change made at *now*."""
        return cls(occurred_at=now, actor=actor, action=action, outcome=AuditOutcome.DONE, target=target)

    def once_a_minute(self, organization_id: UUID) -> "AuditRecord":
        """Return the record with one id for its actor, action and minute.

        A log keeps one record for an id: the first that was written. The ids of two logs differ.
        """
        minute = self.occurred_at.astimezone(UTC).replace(second=0, microsecond=0)
        return replace(self, id=uuid5(organization_id, f"{self.actor.id} {self.action} {minute.isoformat()}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressedRecord:
    """A record and the organization whose log gets it."""

    organization_id: UUID
    record: AuditRecord
