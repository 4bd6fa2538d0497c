"""A check of e-mail domains that crashes: the next one completes it, and repeats nothing."""

from collections.abc import Iterator
from datetime import datetime
from itertools import count

import pytest

from tenancy.rules.durations import DOMAIN_CHECK_INTERVAL, MISSING_PROOF_TIME
from tenancy.rules.email_domains import EmailDomain
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.fetch import Fetcher
from tenancy.stores.postgres.email_domains import insert_email_domain, update_domain_verified
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.check_domains import check_domains
from tests.crash.aftermath import Aftermath
from tests.crash.crashes import crashes
from tests.given import NOW, OPERATOR, REGION, AwsAccount, Databases, new_organization
from tests.handlers.functions import running
from tests.handlers.invocations import serving_invocations
from tests.name_server import running_name_server

pytestmark = pytest.mark.exhaustive

MISSED_AT = NOW + DOMAIN_CHECK_INTERVAL
COUNT_EFFECTS = """
    SELECT (SELECT count(*) FROM email_domains WHERE organization_id = %(id)s AND missing_since IS NOT NULL),
           (SELECT count(*) FROM proven_email_domains WHERE organization_id = %(id)s),
           (SELECT count(*) FROM audit_log WHERE organization_id = %(id)s AND action = 'email_domain.withdrawn'),
           (SELECT count(*) FROM outbox WHERE organization_id = %(id)s AND kind LIKE 'email_domain%%')
"""


@pytest.fixture
def fetcher(aws: AwsAccount) -> Iterator[Fetcher]:
    """`fetch` with a DNS server that knows no name."""
    with running_name_server() as names:
        values = {"SECRETS_PREFIX": "tenancy/test", "STACK_NAME": "tenancy-test", "DNS_RESOLVER": names.address}
        with running("fetch", values) as fetch, serving_invocations(aws.endpoint_url, fetch) as url:
            client = AwsClient("lambda", REGION, url)
            yield Fetcher(client, "fetch")
            client.close()


@pytest.mark.parametrize(
    ("at", "is_missing_before", "effects"),
    [(MISSED_AT, False, (1, 1, 0, 1)), (MISSED_AT + MISSING_PROOF_TIME, True, (0, 0, 1, 1))],
    ids=["missed", "withdrawn"],
)
def test_missing_record_has_its_effects_once_after_a_crash(
    databases: Databases,
    targets: OutboxTargets,
    aftermath: Aftermath,
    fetcher: Fetcher,
    at: datetime,
    is_missing_before: bool,  # noqa: FBT001 - a parameter
    effects: tuple[int, ...],
) -> None:
    numbers, crashed = count(), 0
    before = (1, 1, 0, 0) if is_missing_before else (0, 1, 0, 0)

    def begin() -> Provisioned:
        number = next(numbers)
        acme = provision_organization(
            databases.platform, targets, new_organization(f"acme-{number}"), OPERATOR, now=NOW
        )
        claim = EmailDomain.claim(f"acme-{number}.example", now=NOW)
        with databases.platform.tenant_transaction(acme.organization.id) as conn:
            insert_email_domain(conn, acme.organization.id, claim)
            update_domain_verified(conn, acme.organization.id, claim.domain, check_at=MISSED_AT, now=NOW)
        if is_missing_before:
            aftermath.superuser.execute(
                "UPDATE email_domains SET missing_since = %s WHERE verified_at IS NOT NULL", (MISSED_AT,)
            )
        return acme

    def run(_acme: Provisioned) -> None:
        assert check_domains(databases.platform, fetcher, now=at, has_time=lambda: True).failures == []

    for crash in crashes(begin, run):
        values = {"id": crash.state.organization.id}
        [after_crash] = aftermath.rows(COUNT_EFFECTS, values)

        check_domains(databases.platform, fetcher, now=at, has_time=lambda: True)

        assert after_crash in {before, effects}, crash
        assert aftermath.rows(COUNT_EFFECTS, values) == [effects], crash
        crashed += 1
    assert crashed > 1
