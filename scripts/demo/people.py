"""The people of the demo: the administrator logs in, invites an analyst, and rotates a key."""

import json
import re
import secrets
import time
import urllib.request
from dataclasses import replace
from typing import Any, Final

from scripts.demo.client import TIMEOUT_SECONDS, DemoOrganization, Stack, call, get, invoke, refusal, say

ONE_TIME_TOKEN: Final = re.compile(r"ot_[0-9A-Za-z]+")
MAIL_SECONDS: Final = 600.0  # a busy machine is slow
POLL_SECONDS: Final = 0.5


def show_people(stack: Stack, acme: DemoOrganization) -> DemoOrganization:
    """Log in, invite a member and rotate a key. Return the organization with its new secret key.

    Raises:
        RuntimeError: a refusal is missing, or no mail came.
    """
    say("acme's administrator logs in and invites an analyst, who accepts with the token of the mail")
    administrator = log_in(stack, acme)
    analyst = join(stack, administrator, f"analyst-{secrets.token_hex(3)}@acme.example")
    read = call(f"{stack.api_url}/usage", analyst)["quotas"]["events"]["used"]
    refused = refusal(lambda: call(f"{stack.api_url}/keys", analyst, body={"type": "secret", "name": "Mine"}))
    say(f"The analyst reads usage ({read} events), and may not create a key: {refused}")
    rotated = rotate_secret_key(stack, acme, administrator)
    old = refusal(lambda: get(stack, acme, "/usage"))
    get(stack, rotated, "/usage")
    say(f"The administrator rotates acme's secret key. The old key: {old}; the new one is accepted")
    if (refused, old) != ("forbidden", "unauthenticated"):
        raise RuntimeError("A request that must be refused was not.")
    return rotated


def log_in(stack: Stack, organization: DemoOrganization) -> str:
    """Return an access token of the organization's administrator."""
    body = {
        "organization": organization.id,
        "email": organization.admin_email,
        "password": organization.admin_password,
    }
    return str(call(f"{stack.api_url}/auth/token", None, body=body)["access_token"])


def join(stack: Stack, administrator: str, email: str) -> str:
    """Invite *email* as an analyst, accept the invitation, and return the member's access token."""
    call(f"{stack.api_url}/users", administrator, body={"email": email, "role": "analyst"})
    accepted = {"token": wait_for_token(stack, email), "password": secrets.token_urlsafe()}
    return str(call(f"{stack.api_url}/users/accept", None, body=accepted)["access_token"])


def wait_for_token(stack: Stack, email: str) -> str:
    """Return the one-time token of the mail to *email*, which the next sweep sends."""
    deadline = time.monotonic() + MAIL_SECONDS
    while time.monotonic() < deadline:
        invoke(stack, "Sweep")
        if found := [token for mail in list_mails(stack, email) for token in ONE_TIME_TOKEN.findall(mail)]:
            return str(found[-1])
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"No mail with a token to {email} came within {MAIL_SECONDS} seconds.")


def list_mails(stack: Stack, email: str) -> list[str]:
    """Return the mails to *email* that SES has sent, as JSON."""
    with urllib.request.urlopen(stack.mailbox_url, timeout=TIMEOUT_SECONDS) as mailbox:  # noqa: S310 - the stack's own
        accounts = json.load(mailbox)["messages"].values()
    return [text for account in accounts for mail in account if email in (text := json.dumps(mail))]


def rotate_secret_key(stack: Stack, organization: DemoOrganization, administrator: str) -> DemoOrganization:
    """Replace the organization's secret key without an overlap."""
    keys: list[dict[str, Any]] = call(f"{stack.api_url}/keys", administrator)["data"]
    [old] = [key for key in keys if key["type"] == "secret"]
    new = call(f"{stack.api_url}/keys/{old['id']}/rotate", administrator, body={"overlap_seconds": 0})
    return replace(organization, secret_key=new["key"])
