"""What lies in the buckets: every object under the id of one organization, whose rows alone it has."""

import gzip
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import boto3

from tests.given import REGION
from tests.isolation.proof.attack.injection_points import UUIDS
from tests.isolation.proof.discovery.deployment import is_bucket
from tests.isolation.proof.proof_data import Neighbours

GZIP = b"\x1f\x8b"


def objects_in(made: Mapping[str, str]) -> dict[str, str]:
    """Return every object of every bucket of the template, by its key, inflated."""
    return dict(_objects([bucket for name, bucket in made.items() if is_bucket(name)]))


def wrong_objects(objects: Mapping[str, str], neighbours: Neighbours) -> list[str]:
    """Return objects that lie under nobody's id, or show a canary or an id of another organization than theirs."""
    ids = {str(each.organization_id): each.organization_id for each in neighbours.organizations}
    wrong = []
    for key, text in objects.items():
        owner = ids.get(key.partition("/")[0])
        if owner is None:
            wrong.append(f"{key} is nobody's")
            continue
        wrong += [f"{key} shows {field}" for field in neighbours.canaries.foreign_in(text, owner)]
        foreign = {each for each in UUIDS.findall(text) if neighbours.owners.get(each, owner) != owner}
        wrong += [
            f"{key} shows the id {each}" for each in foreign | (set(UUIDS.findall(text)) & set(ids)) - {str(owner)}
        ]
    return wrong


def canaries_shown(objects: Mapping[str, str], neighbours: Neighbours) -> set[UUID | None]:
    """Return whose canaries the objects show: without any, nothing was searched for."""
    return {place.organization_id for text in objects.values() for place in neighbours.canaries.found_in(text)}


def _objects(buckets: list[str]) -> Iterator[tuple[str, str]]:
    s3: Any = boto3.client("s3", region_name=REGION)
    for bucket in buckets:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for each in page.get("Contents", []):
                content = s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
                yield each["Key"], (gzip.decompress(content) if content.startswith(GZIP) else content).decode()
