"""The register of erasures and ended keys in moto."""

import json
import os
from typing import Any

import boto3

from tenancy.rules.register import RegisteredChanges
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.register import Register
from tenancy.stores.aws.register_reader import RegisterReader
from tests.given import REGION, REGISTER_BUCKET


def new_register() -> Register:
    """Return a register with a connection of its own."""
    return Register(AwsClient("s3", REGION, os.environ["AWS_ENDPOINT_URL"]), REGISTER_BUCKET)


def read_register() -> RegisteredChanges:
    """Return all entries, as a replay reads them."""
    return RegisterReader(REGION, REGISTER_BUCKET, path_style=True).read()


def stored_entries() -> dict[str, dict[str, Any]]:
    """Return the content of each entry by its name."""
    s3: Any = boto3.client("s3", region_name=REGION)
    names = [each["Key"] for each in s3.list_objects_v2(Bucket=REGISTER_BUCKET).get("Contents", [])]
    return {name: json.loads(s3.get_object(Bucket=REGISTER_BUCKET, Key=name)["Body"].read()) for name in names}
