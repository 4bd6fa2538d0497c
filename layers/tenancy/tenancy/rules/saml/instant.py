"""Times in SAML: RFC 3339 in UTC (SAML 2.0 Core, 1.3.3)."""

import re
from datetime import UTC, datetime
from typing import Final

from tenancy.rules.saml.xml import XmlError

INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z", re.ASCII)


def parse_instant(text: str) -> datetime:
    """Return the time that *text* names. Digits after microseconds are cut off.

    Raises:
        XmlError: it names none in UTC.
    """
    if not INSTANT.fullmatch(text):
        raise XmlError("Expected a time in UTC such as 2026-12-01T09:30:00Z.")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise XmlError("Expected a time that exists, such as 2026-12-01T09:30:00Z.") from error


def format_instant(instant: datetime) -> str:
    """Return *instant* to the second."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
