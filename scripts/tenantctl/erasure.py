"""Wait until an organization is erased: through the grace period, then until its certificate is signed."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from scripts.tenantctl.api import Document
from scripts.tenantctl.errors import CommandError, ExitCode
from scripts.tenantctl.session import Session
from scripts.tenantctl.texts import countdown

GRACE_POLL_SECONDS: Final = 30.0
ERASURE_POLL_SECONDS: Final = 2.0
LONGEST_ERASURE: Final = timedelta(hours=1)  # docs/operations.md, "Deletion": half an hour and some minutes


def wait_for_erasure(session: Session, organization_id: str) -> Document:
    """Return the deletion certificate as soon as there is one.

    Raises:
        CommandError: the organization is not deleted or was restored, or is not erased an hour after its grace period.
    """
    with session.terminal.waiting("Waiting for the erasure; Ctrl-C ends the waiting, not the deletion") as show:
        while (certificate := find_certificate(session, organization_id)) is None:
            purge_at = _purge_time(session, organization_id)
            if datetime.now(UTC) > purge_at + LONGEST_ERASURE:
                detail = f"The grace period ended at {purge_at.isoformat()}, and there is no certificate."
                hint = 'See "When a deletion fails" in docs/operations.md.'
                raise CommandError.of(ExitCode.TIMED_OUT, "not_erased", detail, hint=hint)
            left = (purge_at - datetime.now(UTC)).total_seconds()
            seconds = min(left, GRACE_POLL_SECONDS) if left > ERASURE_POLL_SECONDS else ERASURE_POLL_SECONDS
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                left = (purge_at - datetime.now(UTC)).total_seconds()
                show(f"The erasure begins in {countdown(left)}" if left > 0 else f"Erasing for {countdown(-left)}")
                time.sleep(max(0.0, min(0.5, end - time.monotonic())))
    return certificate


def find_certificate(session: Session, organization_id: str) -> Document | None:
    """Return the deletion certificate, or None if there is none yet."""
    try:
        return session.platform.get("organizations", organization_id, "deletion-certificate")
    except CommandError as error:
        if error.exit_code is not ExitCode.NOT_FOUND:
            raise
        return None


def _purge_time(session: Session, organization_id: str) -> datetime:
    try:
        found = session.platform.get("organizations", organization_id)
    except CommandError as error:
        if error.code != "erased":
            raise
        return datetime.now(UTC)  # the certificate is a moment away
    if "purge_at" not in found:
        detail = f"The organization is {found['status']}, and will not be erased."
        raise CommandError.of(ExitCode.CONFLICT, "not_deleted", detail)
    return datetime.fromisoformat(found["purge_at"])
