"""Prune the audit logs: replace entries past retention by a signed checkpoint."""

from dataclasses import replace
from datetime import datetime, timedelta

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.durations import ONE_DAY
from tenancy.rules.tiers import LONGEST_AUDIT_RETENTION_DAYS
from tenancy.stores.aws.signer import Signer
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.audit_logs import delete_entries, insert_checkpoint, list_cuts
from tenancy.stores.postgres.platform.organizations import list_entitlements
from tenancy.use_cases.schedule.failures import skip_moved


def prune_audit_logs(platform_db: Database, signer: Signer, *, now: datetime) -> int:
    """Delete the entries past retention of every log, and return their number.

    Logs are cut at whole days, one day late. So a log gets at most one checkpoint a day, and a clock that runs ahead
    deletes nothing too early. Checkpoint and deletion of a log are one transaction: a log is never cut without its
    checkpoint.

    Raises:
        UnavailableError: the database or KMS is unreachable. The next run continues.
    """
    day = now.replace(hour=0, minute=0, second=0, microsecond=0) - ONE_DAY
    with platform_db.transaction() as conn:
        days = {log: each.quotas.audit_retention_days for log, each in list_entitlements(conn).items()}
        days[PLATFORM_LOG] = LONGEST_AUDIT_RETENTION_DAYS
        cuts = list_cuts(conn, {log: day - timedelta(days=kept) for log, kept in days.items()})
    deleted = 0
    for cut in cuts:
        checkpoint = replace(cut, signature=signer.sign(cut.text))
        with skip_moved(), platform_db.tenant_transaction(cut.organization_id) as conn:
            insert_checkpoint(conn, checkpoint)
            deleted += delete_entries(conn, cut.organization_id, up_to=cut.link.sequence)
    return deleted
