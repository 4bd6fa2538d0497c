"""Times as clients read them: RFC 3339 in UTC, to the millisecond."""

from datetime import UTC, datetime


def format_time(moment: datetime) -> str:
    """Return *moment* as `2026-11-24T12:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
