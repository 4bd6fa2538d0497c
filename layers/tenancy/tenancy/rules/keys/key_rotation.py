"""Keys that are to be rotated, as mails and audit records name them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

KEY_ROTATION_DUE: Final = "key.rotation_due"
KEYS_MAILED: Final = 20  # of the keys of one notice, the oldest first


@dataclass(frozen=True, slots=True, kw_only=True)
class DueKey:
    """A key that is older than its organization's policy allows.

    *prefix* and *hint* are the first and the last characters of its text.
    """

    id: UUID
    name: str
    prefix: str
    hint: str

    @property
    def line(self) -> str:
        """The line of a mail that names the key."""
        return f"{self.name} ({self.prefix}…{self.hint}), id {self.id}"


def list_lines(keys: Sequence[DueKey]) -> str:
    """Return the lines of a mail that name *keys*.

    Of the keys past `KEYS_MAILED` the mail has the number only.
    """
    lines = [key.line for key in keys[:KEYS_MAILED]]
    further = len(keys) - len(lines)
    return "\n".join([*lines, f"and {further} more"] if further else lines)
