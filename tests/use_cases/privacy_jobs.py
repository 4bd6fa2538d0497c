"""Exports and erasures as tests ask for them, and the worker that does what is due."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import boto3

from tenancy.audit import Actor
from tenancy.privacy import Erasure, Export, SubjectKind, subject_named
from tenancy.stores.exports import Exports
from tenancy.tenant import CallerKind
from tenancy.use_cases.do_privacy_jobs import Done, Stores, do_privacy_jobs
from tenancy.use_cases.provision import Provisioned
from tenancy.use_cases.request_privacy import read_erasure, read_export, request_erasure, request_export
from tests.given import EXPORTS_BUCKET, OPERATOR, REGION, Databases, tenant_of

EXPORTS = Exports(REGION, EXPORTS_BUCKET)

type HasTime = Callable[[], bool]


def always() -> bool:
    return True


def times(number: int) -> HasTime:
    """Have time that often, and none after that."""
    left = iter(range(number))
    return lambda: next(left, None) is not None


def actor_of(who: Provisioned) -> Actor:
    return replace(OPERATOR, kind=CallerKind.KEY, id=who.secret_key_id)


def stores_of(databases: Databases) -> Stores:
    return Stores(
        platform_db=databases.platform,
        db=databases.functions,
        writer=lambda: databases.clickhouse,
        reader=lambda: databases.clickhouse,
        exports=EXPORTS,
    )


def work(databases: Databases, now: datetime, has_time: HasTime = always) -> Done:
    return do_privacy_jobs(stores_of(databases), has_time=has_time, now=now)


def ask_export(databases: Databases, who: Provisioned, now: datetime) -> UUID:
    return request_export(databases.functions, tenant_of(who), actor_of(who), now=now).id


def ask_erasure(
    databases: Databases, who: Provisioned, name: str, now: datetime, kind: SubjectKind = SubjectKind.DEVICE_ID
) -> UUID:
    subject = subject_named(kind, name)
    return request_erasure(databases.functions, tenant_of(who), subject, actor_of(who), now=now).id


def export(databases: Databases, who: Provisioned, export_id: UUID, now: datetime) -> tuple[Export, dict[str, str]]:
    """Return an export, and the links to its files by name."""
    found, files = read_export(databases.functions, EXPORTS, tenant_of(who), export_id, now=now)
    return found, {file.name: link for file, link in files.items()}


def erasure(databases: Databases, who: Provisioned, erasure_id: UUID) -> Erasure:
    return read_erasure(databases.functions, tenant_of(who), erasure_id)


def objects() -> dict[str, bytes]:
    """Return every object of the bucket by its key."""
    s3: Any = boto3.client("s3", region_name=REGION)
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=EXPORTS_BUCKET).get("Contents", [])]
    return {key: s3.get_object(Bucket=EXPORTS_BUCKET, Key=key)["Body"].read() for key in keys}


def rows_in(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(content).splitlines()]


def exported(who: Provisioned) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that were exported for an organization, by section."""
    sections: dict[str, list[dict[str, Any]]] = {}
    for key, content in sorted(objects().items()):
        if key.startswith(str(who.organization.id)) and key.endswith(".gz"):
            sections.setdefault(key.partition("-")[2].rpartition("/")[2][6:].partition(".")[0], []).extend(
                rows_in(content)
            )
    return sections
