"""Take the pictures of docs/console.md: ``python -m scripts.console_pictures`` writes docs/console/*.webp.

It needs the running stack (`make up`). It provisions an organization with events, keys, apps, members and a brand,
opens the console in headless Chromium, and takes each page in light and dark.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from scripts.demo.client import Stack, call
from scripts.node_packages import NODE, ROOT, install_programs

FOLDER: Final = ROOT / "docs" / "console"
PAGES: Final = ("usage", "events", "keys", "members", "branding", "audit")
LOOKS: Final = ("light", "dark")
STORE_SECONDS: Final = 300.0  # a busy machine is slow
POLL_SECONDS: Final = 1.0

EVENTS: Final = 842
QUOTA: Final = 1_000
BATCH: Final = 100
SECONDS_APART: Final = 37
# name, type, platform, revenue
SAMPLES: Final = (
    ("Product Viewed", "track", "web", None),
    ("Signed Up", "track", "web", None),
    ("App Opened", "track", "ios", None),
    ("Product Viewed", "track", "android", None),
    ("Order Completed", "purchase", "ios", "49.90"),
    ("Subscription Started", "purchase", "web", "12.00"),
    ("Product Viewed", "track", "ios", None),
)
APPS: Final = (("Web shop", "web"), ("iPhone app", "ios"), ("Back office", "server"))
REPORT_KEY: Final = {"name": "Nightly report", "type": "secret", "scopes": ["stats:read", "usage:read"]}
MEMBERS: Final = (("ada", "admin"), ("grace", "analyst"), ("linus", "viewer"))
BRAND: Final = {"primary_color": "#0f766e", "accent_color": "#b45309", "sender_name": "Acme Analytics"}


def main() -> int:
    """Take all pictures."""
    stack = Stack.load()
    acme = provision_sample(stack)
    with tempfile.TemporaryDirectory(prefix="console-pictures-") as name:
        folder = Path(name)
        install_programs(folder)
        FOLDER.mkdir(exist_ok=True)
        given = {"acme": acme, "console_url": _console_url(), "pages": PAGES, "looks": LOOKS, "folder": str(FOLDER)}
        subprocess.run(
            [NODE, "console/pictures.mjs"],
            cwd=folder,
            env=os.environ | {"TMPDIR": name},  # Chromium is unpacked there
            input=json.dumps(given),
            text=True,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    for picture in sorted(FOLDER.glob("*.webp")):
        print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size:,} bytes")
    return 0


def provision_sample(stack: Stack) -> dict[str, Any]:
    """Provision the organization of the pictures, and wait until its events are counted."""
    password = secrets.token_urlsafe()
    subdomain = f"acme-{secrets.token_hex(4)}"
    new = {
        "name": "Acme",
        "subdomain": subdomain,
        "admin_email": "admin@acme.example",
        "admin_password": password,
        "tier": "growth",
    }
    made = call(f"{stack.api_url}/organizations", stack.platform_key, body=new)
    organization, secret_key = made["organization"]["id"], made["secret_key"]
    overrides = {"overrides": {"events_per_month": QUOTA, "white_label": True}}
    call(f"{stack.api_url}/organizations/{organization}", stack.platform_key, body=overrides, method="PATCH")
    login = {"organization": organization, "email": new["admin_email"], "password": password}
    admin = call(f"{stack.api_url}/auth/token", None, body=login)["access_token"]
    for name, platform in APPS:
        app = call(f"{stack.api_url}/apps", admin, body={"name": name, "platform": platform})
        call(f"{stack.api_url}/keys", admin, body={"name": name, "type": "write", "app_id": app["id"]})
    call(f"{stack.api_url}/keys", admin, body=REPORT_KEY)
    for name, role in MEMBERS:
        call(f"{stack.api_url}/users", admin, body={"email": f"{name}@acme.example", "role": role})
    call(f"{stack.api_url}/branding", admin, body=BRAND, method="PUT")
    for start in range(0, EVENTS, BATCH):
        batch = [_event(at) for at in range(start, min(start + BATCH, EVENTS))]
        call(f"{stack.api_url}/events", made["write_key"], body={"events": batch})
    _wait_for_events(stack, secret_key)
    return {"subdomain": subdomain, "admin_email": new["admin_email"], "admin_password": password}


def _event(at: int) -> dict[str, Any]:
    name, kind, platform, revenue = SAMPLES[at % len(SAMPLES)]
    happened = datetime.now(UTC) - timedelta(seconds=SECONDS_APART * at)
    return {
        "event_id": f"sample-{at}",
        "event_type": kind,
        "event_name": name,
        "device_id": f"device-{at % 40}",
        "platform": platform,
        "event_timestamp": happened.isoformat(timespec="seconds"),
        **({"revenue": revenue, "currency": "EUR"} if revenue else {}),
    }


def _wait_for_events(stack: Stack, secret_key: str) -> None:
    """Wait until each event is counted and the newest one is stored.

    Raises:
        TimeoutError: they never were.
    """
    deadline = time.monotonic() + STORE_SECONDS
    while time.monotonic() < deadline:
        counted = call(f"{stack.api_url}/usage", secret_key)["quotas"]["events"]["used"]
        newest = call(f"{stack.api_url}/events?limit=1", secret_key)["data"]
        if counted == EVENTS and newest and newest[0]["event_id"] == "sample-0":
            return
        time.sleep(POLL_SECONDS)
    raise TimeoutError("The events are not stored.")


def _console_url() -> str:
    folder = ROOT / os.environ.get("STACK_DIR", ".local")
    return str(json.loads((folder / "stack.json").read_text())["console_url"])


if __name__ == "__main__":
    sys.exit(main())
