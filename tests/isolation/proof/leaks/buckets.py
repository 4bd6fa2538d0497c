"""Leaks in the objects of the template's buckets."""

import gzip
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import boto3

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.events.frames import decode_lines
from tenancy.rules.register import SUBJECTS
from tests.given import REGION
from tests.isolation.proof.discovery.deployment import is_bucket
from tests.isolation.proof.normalization import UUIDS
from tests.isolation.proof.proof_data import ProofData

REGISTER = "registerbucket/"  # by its logical id, as the proof names buckets
GZIP_MAGIC = b"\x1f\x8b"


def objects_in(resources: Mapping[str, str]) -> dict[str, str]:
    """Return the uncompressed text of every object in every bucket, by `bucket/key`."""
    return dict(_objects([bucket for name, bucket in resources.items() if is_bucket(name)]))


def leaks_in_objects(objects: Mapping[str, str], data: ProofData) -> list[str]:
    """Return a sentence for each object without an owner, and for each foreign canary and id.

    The owner of an object is the organization whose id its key begins with, or the platform. An object of the register
    has none. It may show no canary of any organization, and no id but that of an erasure.
    """
    organization_ids = {str(each.organization_id): each.organization_id for each in data.organizations}
    leaks = []
    for key, text in objects.items():
        if key.startswith(REGISTER):
            leaks += _leaks_in_entry(key, text, data)
            continue
        owner = {**organization_ids, str(PLATFORM_LOG): PLATFORM_LOG}.get(key.split("/")[1])
        if owner is None:
            leaks.append(f"{key} lies under no organization's id")
            continue
        leaks += [f"{key} shows {field}" for field in data.canaries.foreign_fields_in(text, owner)]
        ids = set(UUIDS.findall(text))
        foreign = {each for each in ids if data.owners.get(each, owner) != owner}
        foreign |= (ids & set(organization_ids)) - {str(owner)}
        leaks += [f"{key} shows the id {each}" for each in foreign]
    return leaks


def _leaks_in_entry(key: str, text: str, data: ProofData) -> list[str]:
    shown = f"{key} {text}"
    organization_ids = {str(each.organization_id) for each in data.organizations}
    ids = set(UUIDS.findall(shown))
    of_rows = set() if key.startswith(f"{REGISTER}{SUBJECTS}/") else ids & set(data.owners)  # an erasure's own id
    return [
        *(f"{key} shows {location}" for location in data.canaries.locations_in(shown)),
        *(f"{key} shows the id {each}" for each in of_rows | (ids & organization_ids)),
    ]


def organizations_in_objects(objects: Mapping[str, str], data: ProofData) -> set[UUID | None]:
    """Return the organizations whose canaries the objects show.

    If there are none, the search for leaks proves nothing.
    """
    return {location.organization_id for text in objects.values() for location in data.canaries.locations_in(text)}


def _objects(buckets: list[str]) -> Iterator[tuple[str, str]]:
    s3: Any = boto3.client("s3", region_name=REGION)
    for bucket in buckets:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                content = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                yield f"{bucket}/{entry['Key']}", _text_of(content)


def _text_of(content: bytes) -> str:
    """Return the text of an object: gzip, a frame in Base64, or plain text."""
    if content.startswith(GZIP_MAGIC):
        return gzip.decompress(content).decode()
    text = content.decode()
    with suppress(ValueError):
        return "\n".join(line.decode() for line in decode_lines(text))
    return text
