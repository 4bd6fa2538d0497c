"""Apps, the sources of an organization's events."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

PLATFORM_MAX_CHARACTERS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An app of an organization. A deleted one is not shown."""

    id: UUID
    name: str
    platform: str
    created_at: datetime
