"""Documents of the API, as the tests serve them."""

from typing import Any

ACME_ID = "0c000000-0000-4000-8000-0000000000c2"
TIME = "2026-11-28T21:37:37.256Z"


def organization(**members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "id": ACME_ID,
        "name": "Acme",
        "subdomain": "acme",
        "tier": "starter",
        "status": "active",
        "entitlements": {"users": 5, "apps": None, "sso": False},
        "overrides": {"apps": "unlimited"},
        "created_at": TIME,
        "updated_at": TIME,
        **members,
    }


def page(*rows: object, cursor: str | None = None) -> dict[str, Any]:
    return {"data": list(rows), "pagination": {"next_cursor": cursor, "has_more": cursor is not None}}
