"""Retention of the audit logs: what is older than the tier keeps is cut off, and a signed checkpoint stands for it."""

from dataclasses import replace
from datetime import datetime, timedelta

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.durations import ONE_DAY
from tenancy.rules.tiers import QUOTAS
from tenancy.stores.aws.signer import Signer
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.audit_logs import delete_entries, insert_checkpoint, list_cuts


def prune_audit_logs(platform_db: Database, signer: Signer, *, now: datetime) -> int:
    """Cut every log at its tier's retention and return how many entries are gone.

    By whole days, and a day late: one checkpoint a day, and never in doubt for a clock that runs ahead.
    Checkpoint and cut are one transaction per log: a death in between leaves the log whole, or cut with its proof.

    Raises:
        UnavailableError: the database or KMS is away; the next run goes on.
    """
    day = now.replace(hour=0, minute=0, second=0, microsecond=0) - ONE_DAY
    by_tier = {tier: day - timedelta(days=quotas.audit_retention_days) for tier, quotas in QUOTAS.items()}
    with platform_db.transaction() as conn:
        cuts = list_cuts(conn, by_tier, platform_log=PLATFORM_LOG, platform_cut_before=min(by_tier.values()))
    deleted = 0
    for cut in cuts:
        checkpoint = replace(cut, signature=signer.sign(cut.text))
        with platform_db.transaction() as conn:
            insert_checkpoint(conn, checkpoint)
            deleted += delete_entries(conn, cut.organization_id, up_to=cut.link.sequence)
    return deleted
