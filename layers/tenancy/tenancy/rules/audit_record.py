"""What the audit log says of what was done (architecture, decision 10): who, what, on what, with which outcome."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID, uuid4

import msgspec

from tenancy.rules.tenant import CallerKind

PLATFORM_LOG: Final = UUID(int=0)  # no organization has this id: the log of the platform itself


class AuditOutcome(StrEnum):
    """How it ended: something was done (or read), or refused."""

    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something, and through which request.

    *id* is the key's or user's; *source_address* is the client's IP address, a personal value.
    """

    kind: CallerKind
    id: UUID
    request_id: str
    source_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One line of a log, written once.

    *action* is a name (`organization.provisioned`) for a change, `<method> <route>` for a read or a refusal;
    *target* is what it was done on; *code* is the refusal's; *count* says how often it happened within the minute.
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
        """Return the record of a change that was made *now*."""
        return cls(occurred_at=now, actor=actor, action=action, outcome=AuditOutcome.DONE, target=target)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressedRecord:
    """A record on its way to the log of *organization_id*."""

    organization_id: UUID
    record: AuditRecord
