"""Replay the register on restored databases, with the settings of a deployed stack and secrets of the operator.

The operator puts the URLs of the restored databases into secrets with a prefix of their own. No function reads these
secrets, so no request is answered from the databases before the replay is done.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import boto3

from scripts.restore.policy import policy_of
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.durations import ERASE_REDIS_TIMEOUT_SECONDS, SCHEDULED_QUERY_TIMEOUT_SECONDS
from tenancy.rules.register import RegisteredChanges
from tenancy.settings import Settings
from tenancy.stores.aws.register_reader import RegisterReader
from tenancy.stores.aws.signer import Signer
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.restored import list_organization_ids
from tenancy.use_cases.audit.read_audit import verify_audit_log
from tenancy.use_cases.audit.seal_audit import seal_audit_logs
from tenancy.use_cases.deletion.erasure_stores import ErasureStores
from tenancy.use_cases.restore.replay import Replay, ReplayStores, replay
from tenancy.use_cases.schedule.each_database import as_other_role
from tenancy.use_cases.schedule.privacy_jobs import PrivacyJobStores
from tenancy.wiring import Wiring

ROOTS: Final = Path(__file__).resolve().parents[2] / "layers" / "certificates" / "aws-roots.pem"
FUNCTION: Final = "Erase"  # its variables name all resources of a replay
VARIABLES: Final = (
    "BASE_DOMAIN",
    "DEAD_LETTERS_BUCKET",
    "ERASURE_QUIET_SECONDS",
    "EXPORTS_BUCKET",
    "HOSTED_ZONE_ID",
    "RECOUNT_AFTER_SECONDS",
    "REGISTER_BUCKET",
    "SIGNING_KEY_ID",
)
PENDING_PAUSE_SECONDS: Final = 10.0
MAX_REPLAYS: Final = 3

type Say = Callable[[str], None]


def settings_of(stack: str, secrets_prefix: str) -> Settings:
    """Return the settings of the deployed *stack*, with the restored databases of *secrets_prefix*."""
    os.environ.setdefault("PGSSLROOTCERT", str(ROOTS))
    return _settings_of(_configuration_of(stack), secrets_prefix)


def find_policy(stack: str, secrets_prefix: str) -> dict[str, Any]:
    """Return the policy of IAM that a replay on the deployed *stack* needs."""
    configuration = _configuration_of(stack)
    return policy_of(_settings_of(configuration, secrets_prefix), configuration["FunctionArn"])


def replay_register(wiring: Wiring, stores: ReplayStores, say: Say) -> list[str]:
    """Replay the register. Return a sentence for each fault of the register or of an audit log.

    Raises:
        DeploymentError, Refusal, RowsLeftError: as for `replay`. Run it again.
    """
    settings = wiring.settings
    is_local = settings.aws_endpoint_url is not None
    reader = RegisterReader(settings.region, settings.register_bucket, path_style=is_local)
    done, changes, changing = _replay_until_unchanged(stores, reader, say)
    malformed = [f"{name!r} is no entry of the register" for name in changes.malformed]
    wrong = [*broken_logs(wiring), *malformed, *changing, *done.faults]
    _report(done, wrong, say)
    return wrong


def _replay_until_unchanged(
    stores: ReplayStores, reader: RegisterReader, say: Say
) -> tuple[Replay, RegisteredChanges, list[str]]:
    """Replay until the register has no new entries. Return the work done, the entries, and the faults.

    If the lost PostgreSQL still answers, the API may add entries meanwhile.
    """

    def pause(waiting: Sequence[UUID]) -> None:
        say(f"rows that were written just before the backup: {', '.join(map(str, waiting))} wait")
        time.sleep(PENDING_PAUSE_SECONDS)

    changes, keys = reader.read(), 0
    for _ in range(MAX_REPLAYS):
        say(
            f"register: {len(changes.organizations)} organizations, {sum(map(len, changes.subjects.values()))} "
            f"subjects, {sum(map(len, changes.key_ends.values()))} keys"
        )
        done = replay(stores, changes, clock=lambda: datetime.now(UTC), say=say, pause=pause)
        keys += done.keys
        before, changes = changes, reader.read()
        if changes.has_same_ends(before):
            say("the register has not changed meanwhile")
            return replace(done, keys=keys), changes, []
        say("the register has changed meanwhile")
    return replace(done, keys=keys), changes, ["the register still changes: close the API, and replay again"]


def wire(settings: Settings) -> tuple[Wiring, ReplayStores]:
    """Return the stores that the secrets of *settings* name."""
    wiring = Wiring(settings)
    writer = wiring.clickhouse_writer(timeout_seconds=SCHEDULED_QUERY_TIMEOUT_SECONDS)
    erasure = ErasureStores(
        platform_db=wiring.platform_database,
        client=writer,
        redis=wiring.redis(timeout_seconds=ERASE_REDIS_TIMEOUT_SECONDS),
        gateway_keys=wiring.gateway_key_removal,
        exports=wiring.exports,
        dead_letters=wiring.dead_letter_objects,
        domains=wiring.domain_stores,
        register=wiring.register,
    )
    privacy = {
        name: PrivacyJobStores(
            platform_db=database,
            homes=wiring.platform_database,
            db=as_other_role(database, wiring.platform_database, wiring.database),
            writer=writer,
            reader=writer,  # a replay writes no exports, which alone are read as a tenant
            exports=wiring.exports,
            dead_letters=wiring.dead_letter_objects,
            register=wiring.register,
            writer_wait=settings.writer_wait,
        )
        for name, database in wiring.platform_database.by_name().items()
    }
    return wiring, ReplayStores(erasure=erasure, privacy=privacy, signer=wiring.signer)


def broken_logs(wiring: Wiring) -> Iterator[str]:
    """Seal all audit logs of each database, and yield those that do not verify."""
    for name, database in wiring.platform_database.by_name().items():
        seal_audit_logs(database, now=datetime.now(UTC))
        with database.transaction() as conn:
            logs = [PLATFORM_LOG, *list_organization_ids(conn)]
        db = as_other_role(database, wiring.platform_database, wiring.database)
        for log in logs:
            if broken := _find_broken(db, wiring.signer, log):
                yield f'the audit log of {log} in the database "{name}" is broken {broken}'


def _find_broken(db: Database, signer: Signer, log: UUID) -> str:
    """Return the place and the reason of the first broken entry, or an empty text."""
    after = None
    while True:
        verified = verify_audit_log(db, signer, log, after=after)
        if verified.broken is not None:
            return f"at {verified.broken.sequence}: {verified.broken.reason}"
        if verified.is_complete:
            return ""
        after = verified.last


def _report(done: Replay, wrong: list[str], say: Say) -> None:
    for line in wrong:
        say(f"WRONG: {line}")
    if not any("audit log" in line for line in wrong):
        say("all audit logs verify")
    say(
        f"replayed: {done.organizations} organizations and {done.subjects} data subjects are erased, "
        f"{done.keys} keys have ended"
    )


def _settings_of(configuration: Mapping[str, Any], secrets_prefix: str) -> Settings:
    """Return the settings of the configured function, with the caller's region."""
    region = boto3.Session().region_name or ""
    variables = configuration["Environment"]["Variables"]
    return Settings.from_env(*VARIABLES, environ={**variables, "AWS_REGION": region, "SECRETS_PREFIX": secrets_prefix})


def _configuration_of(stack: str) -> Mapping[str, Any]:
    """Return the configuration of the deployed function."""
    make: Any = boto3.client
    resource = make("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=FUNCTION)
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    configured: Mapping[str, Any] = make("lambda").get_function_configuration(FunctionName=name)
    return configured
