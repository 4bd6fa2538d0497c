"""Deletion of an organization, step by step as the state machine runs it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import boto3

from tenancy.rules.deletion import Counts
from tenancy.stores.aws.api_domains import ApiDomains
from tenancy.stores.aws.certificates import DomainCertificates
from tenancy.stores.aws.signer import Signer
from tenancy.stores.aws.target_records import TargetRecords
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.deletion.delete import delete_organization
from tenancy.use_cases.deletion.erase import await_writers, certify, erase_store, place_tombstones
from tenancy.use_cases.deletion.erasure_stores import ERASABLE_STORES, ErasureStores
from tenancy.use_cases.domains.domain_stores import DomainStores
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.given import NOW, OPERATOR, REGION, STACK_NAME, Databases

GRACE = timedelta(days=30)
WRITER_WAIT = timedelta(minutes=2)
PURGE = NOW + GRACE
REQUEST_ID = "execution-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The databases and clients that a deletion and an erasure need."""

    databases: Databases
    redis: Redis
    targets: OutboxTargets
    erasure_stores: ErasureStores
    signer: Signer

    def delete(self, organization_id: UUID, *, now: datetime = NOW) -> int:
        """Delete the organization and return the number of this deletion."""
        delete_organization(
            self.databases.platform, self.targets, organization_id, "the end", OPERATOR, grace=GRACE, now=now
        )
        return generation_of(self.databases, organization_id)

    def place_tombstones(self, organization_id: UUID, generation: int = 1, *, now: datetime = PURGE) -> None:
        place_tombstones(self.erasure_stores, organization_id, generation, request_id=REQUEST_ID, now=now)

    def erase(self, organization_id: UUID, generation: int = 1, *, times: int = 1, now: datetime = PURGE) -> Counts:
        """Run every task *times* times and return the counts of the last one."""
        counts: Counts = {}
        later = now + WRITER_WAIT
        for _ in range(times):
            self.place_tombstones(organization_id, generation, now=now)
        for _ in range(times):
            await_writers(
                self.erasure_stores, organization_id, generation, closed_at=now, writer_wait=WRITER_WAIT, now=later
            )
        for store in ERASABLE_STORES:
            for _ in range(times):
                erase_store(self.erasure_stores, organization_id, generation, store, now=later)
        for _ in range(times):
            counts = certify(
                self.erasure_stores, self.signer, organization_id, generation, request_id=REQUEST_ID, now=later
            ).left
        return counts


def domain_stores(databases: Databases) -> DomainStores:
    return DomainStores(
        platform_db=databases.platform,
        certificates=DomainCertificates(REGION, STACK_NAME),
        api_domains=ApiDomains(REGION, STACK_NAME),
        target_records=TargetRecords(REGION, None),
        base_domain="attribution.example",
    )


def generation_of(databases: Databases, organization_id: UUID) -> int:
    return int(column_of(databases, organization_id)["deletion_generation"])


def column_of(databases: Databases, organization_id: UUID) -> Mapping[str, Any]:
    """Return the row of the organization by column."""
    with databases.platform.transaction() as conn:
        cursor = conn.execute("SELECT * FROM organizations WHERE id = %s", (organization_id,))
        names = [column.name for column in cursor.description or ()]
        [row] = cursor.fetchall()
    return dict(zip(names, row, strict=True))


def executions_of(state_machine_arn: str) -> list[dict[str, Any]]:
    """Return name and input of every execution."""
    client = boto3.client("stepfunctions", region_name=REGION)
    found = client.list_executions(stateMachineArn=state_machine_arn)["executions"]
    described = [client.describe_execution(executionArn=each["executionArn"]) for each in found]
    return [{"name": each["name"], **json.loads(each["input"])} for each in described]


def pending_entries(databases: Databases) -> list[tuple[str, str | None]]:
    """Return kind and address of every outbox entry."""
    with databases.platform.transaction() as conn:
        return conn.execute("SELECT kind, payload ->> 'to' FROM outbox ORDER BY kind, 2").fetchall()
