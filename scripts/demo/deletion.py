"""The end of an organization: deleted, restored, deleted again, erased, and certified."""

import base64
import json
import time
import urllib.error
from datetime import UTC, datetime
from http import HTTPStatus
from textwrap import fill
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from scripts.demo.client import (
    DemoOrganization,
    Stack,
    aws_client,
    call,
    count_stored,
    find_resource,
    get,
    refusal,
    say,
)
from scripts.progress import progress

ERASURE_SECONDS: Final = 900.0  # beside the grace; a busy machine is slow
POLL_SECONDS: Final = 1.0
WIDTH: Final = 110

type Document = dict[str, Any]


def end(stack: Stack, organization: DemoOrganization, neighbour: DemoOrganization) -> bool:
    """Erase *organization*, and tell whether nothing is left of it and all of its *neighbour*."""
    before = _footprint(stack, neighbour)
    say(f"Deleting {organization.name}, and restoring it")
    delete(stack, organization)
    asleep = refusal(lambda: get(stack, organization, "/usage"))
    url = f"{stack.api_url}/organizations/{organization.id}"
    restored = call(f"{url}/restore", stack.platform_key, body={})["status"]
    used = get(stack, organization, "/usage")["quotas"]["events"]["used"]
    say(f"{organization.name}'s key while it was deleted: {asleep}; then {restored} again, with {used} events")
    deleted = delete(stack, organization)
    say(
        f"Deleting {organization.name} again; its grace ends at {deleted['purge_at']}, then the state machine erases it"
    )
    with progress(say, "Waiting for the certificate"):
        certified = _wait_for_certificate(stack, organization)
    is_signed = _is_signed(stack, certified)
    _show(certified["certificate"], is_signed=is_signed)
    left, gone = count_stored(stack, organization), refusal(lambda: call(url, stack.platform_key))
    is_untouched = _footprint(stack, neighbour) == before
    say(f"{organization.name}: {left} events in ClickHouse, {gone}; {neighbour.name}: {_word(is_good=is_untouched)}")
    is_back = (asleep, restored) == ("organization_inactive", "active") and used > 0
    return is_back and is_signed and is_untouched and (left, gone) == (0, "erased")


def delete(stack: Stack, organization: DemoOrganization) -> Document:
    """Delete the organization as the operator, and return the answer."""
    url = f"{stack.api_url}/organizations/{organization.id}"
    answer: Document = call(url, stack.platform_key, method="DELETE", body={"reason": "The contract has ended."})
    return answer


def _wait_for_certificate(stack: Stack, organization: DemoOrganization) -> Document:
    """Return the certificate as soon as there is one.

    Raises:
        TimeoutError: there is none in time. The log of the stack has the cause.
    """
    url = f"{stack.api_url}/organizations/{organization.id}"
    purge_at = time.monotonic() + float(_seconds_left(call(url, stack.platform_key)["purge_at"]))
    while time.monotonic() < purge_at + ERASURE_SECONDS:
        if found := find_certificate(stack, organization):
            return found
        time.sleep(POLL_SECONDS)
    raise TimeoutError("the organization was not erased: see .local/log/aws.log")


def find_certificate(stack: Stack, organization: DemoOrganization) -> Document | None:
    """Return the deletion certificate, or None if there is none yet."""
    url = f"{stack.api_url}/organizations/{organization.id}/deletion-certificate"
    try:
        found: Document = call(url, stack.platform_key)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
        return None
    return found


def _seconds_left(moment: str) -> float:
    return max(0.0, (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds())


def _is_signed(stack: Stack, certified: Document) -> bool:
    """Tell whether the stack's own key has signed the certificate's text."""
    found = aws_client(stack, "kms").get_public_key(KeyId=find_resource(stack, "SigningKey"))
    key = load_der_public_key(found["PublicKey"])
    if not isinstance(key, EllipticCurvePublicKey):
        return False
    try:
        key.verify(base64.b64decode(certified["signature"]), certified["text"].encode(), ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return bool(json.loads(certified["text"]) == certified["certificate"])


def _footprint(stack: Stack, organization: DemoOrganization) -> tuple[int, Document]:
    """Return an organization's number of events and its statistics."""
    statistics: Document = get(stack, organization, "/stats?group_by=event_name")
    return count_stored(stack, organization), statistics


def _show(certificate: Document, *, is_signed: bool) -> None:
    """Print the certificate."""
    print(f"\n  deletion certificate of {certificate['organization_id']}, signature: {_word(is_good=is_signed)}")
    for name in ("deleted_at", "gate_closed_at", "erased_at"):
        print(f"  {name:16}{certificate[name]}")
    for store, counts in certificate["counts"].items():
        line = f"{sum(counts.values())} left in {', '.join(counts)}"
        print(fill(line, WIDTH, initial_indent=f"  {store:16}", subsequent_indent=" " * 18))
    print("  copies that expire by themselves, and the time by which they expire")
    for entry in certificate["ages_out"]:
        print(f"    {entry['by']}  {entry['what']}")
    print("  kept, and not erased")
    print("".join(f"    {kept}\n" for kept in certificate["kept"]))


def _word(*, is_good: bool) -> str:
    return "ok" if is_good else "WRONG"
