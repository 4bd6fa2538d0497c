"""The actor of audit records that a replay inserts."""

from typing import Final
from uuid import UUID

from tenancy.rules.audit_record import Actor
from tenancy.rules.tenant import CallerKind

# The platform itself, without credential and address.
RESTORER: Final = Actor(kind=CallerKind.OPERATOR, id=UUID(int=0), request_id="replay", source_address="")
