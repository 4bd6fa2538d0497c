"""Times as clients read them: RFC 3339 in UTC, to the millisecond."""

from datetime import UTC, datetime


def format_time(moment: datetime) -> str:
    """Return *moment* as `2026-11-24T12:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_optional_time(moment: datetime | None) -> str | None:
    """Return *moment* as `format_time` does, or None."""
    return None if moment is None else format_time(moment)
