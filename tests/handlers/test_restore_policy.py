"""The policy that docs/disaster-recovery.md tells an operator to attach, compared with the calls of a replay."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

from scripts.restore.policy import policy_of
from scripts.restore.replaying import VARIABLES, replay_register
from tenancy.rules.register import ended_keys, erased_organization, erased_subject
from tenancy.settings import Settings
from tenancy.stores.aws.register import Register
from tenancy.stores.aws.signer import Signer
from tenancy.stores.postgres.platform.erasure_jobs import claim_erasure
from tenancy.use_cases.audit.prune_audit import prune_audit_logs
from tenancy.use_cases.audit.seal_audit import seal_audit_logs
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.restore.replay import ReplayStores
from tenancy.wiring import Wiring
from tests.given import Databases
from tests.handlers.test_restore_command import settings, wired, wiring_of
from tests.recorded_calls import CALLS, Call, caller_of, calls_of
from tests.template.granted import Grant, granted
from tests.template.template import listed
from tests.use_cases.audit_records import LONG_AGO, read, write
from tests.use_cases.dead_letters import drain, frame, message, row
from tests.use_cases.privacy_jobs import ask_erasure

__all__ = ["settings", "wired"]  # fixtures

ARN = re.compile(r"arn:aws:(?P<service>\w+):[^:]*:[^:]*:(?P<rest>.*)")
ERASE = "arn:aws:lambda:eu-central-1:123456789012:function:Erase"
# Resources have the names of the template, as in recorded calls.
NAMES = {
    "SECRETS_PREFIX": "SecretsPrefix",
    "STACK_NAME": "AWS-StackName",
    "BASE_DOMAIN": "BaseDomain",
    "DEAD_LETTERS_BUCKET": "DeadLettersBucket",
    "ERASURE_QUIET_SECONDS": "0",
    "EXPORTS_BUCKET": "ExportsBucket",
    "HOSTED_ZONE_ID": "HostedZoneId",
    "RECOUNT_AFTER_SECONDS": "0",
    "REGISTER_BUCKET": "RegisterBucket",
    "SIGNING_KEY_ID": "SigningKey",
}
MINUTES_AGO = datetime.now(UTC) - timedelta(minutes=5)
# Permissions that no call of this test needs, and why they stay.
REASONS = {
    "cloudformation:DescribeStackResource": "The settings of the test are those of no deployed stack.",
    "lambda:GetFunctionConfiguration": "The settings of the test are those of no deployed stack.",
    "s3:ListBucket on s3:DeadLettersBucket": "S3 answers 403 for a missing object to a caller that may not list.",
}


def grants() -> list[Grant]:
    """Return the statements of the policy, as tests/template/granted.py has those of functions."""
    policy = policy_of(Settings.from_env(*VARIABLES, environ=NAMES), ERASE)
    return [
        Grant(
            function="replay",
            actions=tuple(listed(statement["Action"])),
            resources=tuple(named(resource) for resource in statement["Resource"]),
        )
        for statement in policy["Statement"]
    ]


def named(resource: str) -> str:
    arn = ARN.fullmatch(resource)
    return f"{arn['service']}:{arn['rest'].removesuffix('-??????')}" if arn else resource


@contextmanager
def recorded(values: dict[str, str]) -> Iterator[set[Call]]:
    """Collect the calls in the block apart from those of functions."""
    calls: set[Call] = set()
    with calls_of(replace(caller_of("erase", values), function="replay")):
        yield calls
    calls |= {call for call in CALLS if call[0] == "replay"}
    CALLS.difference_update(calls)


def sign_checkpoint(databases: Databases, signer: Signer, organization_id: UUID) -> None:
    """Let retention cut the log, so that its verification needs the signature of the cut."""
    write(databases, organization_id, read(0, occurred_at=LONG_AGO - timedelta(days=400)))
    seal_audit_logs(databases.platform, now=MINUTES_AGO)
    assert prune_audit_logs(databases.platform, signer, now=MINUTES_AGO)


def permissions(grant: Grant) -> set[tuple[str, str]]:
    return set(product(grant.actions, grant.resources))


def test_policy_has_the_permissions_of_the_first_erasure() -> None:
    [*policy] = grants()

    have = set().union(*map(permissions, policy))
    need = set().union(*(permissions(grant) for grant in granted() if grant.function == "erase"))
    assert need - have == set()


def test_policy_allows_each_call_of_a_replay_and_no_more(
    wired: tuple[Wiring, ReplayStores],
    databases: Databases,
    register: Register,
    acme: Provisioned,
    globex: Provisioned,
) -> None:
    own = globex.organization.id
    letter = frame(row(own, "phone", at=MINUTES_AGO), row(own, "tablet", at=MINUTES_AGO))
    drain(databases, message(own, letter, received_at=MINUTES_AGO))
    ask_erasure(databases, globex, "phone", MINUTES_AGO + timedelta(minutes=1))
    with databases.platform.transaction() as conn:
        job = claim_erasure(conn, now=datetime.now(UTC), until=datetime.now(UTC))
    assert job is not None
    register.put(erased_subject(job))
    register.put(erased_organization(acme.organization.id, closed_at=MINUTES_AGO))
    register.put(ended_keys(own, [globex.write_key_id], ends_at=MINUTES_AGO))
    sign_checkpoint(databases, wired[1].signer, own)
    wired_settings = wired[0].settings
    values = {
        "SECRETS_PREFIX": wired_settings.secrets_prefix,
        "DEAD_LETTERS_BUCKET": wired_settings.dead_letters_bucket,
        "EXPORTS_BUCKET": wired_settings.exports_bucket,
        "REGISTER_BUCKET": wired_settings.register_bucket,
        "SIGNING_KEY_ID": wired_settings.signing_key_id,
    }

    with recorded(values) as calls, wiring_of(wired_settings) as wired_again:
        assert replay_register(*wired_again, lambda _: None) == []

    policy = grants()
    assert sorted(call for call in calls if not any(grant.allows(call) for grant in policy)) == []
    of_erase = set().union(*(permissions(grant) for grant in granted() if grant.function == "erase"))
    unused = {
        f"{action} on {resource}"
        for grant in policy
        for action, resource in permissions(grant) - of_erase
        if not any(replace(grant, actions=(action,), resources=(resource,)).allows(call) for call in calls)
    }
    assert {line for line in unused if not any(line.startswith(reason) for reason in REASONS)} == set()
