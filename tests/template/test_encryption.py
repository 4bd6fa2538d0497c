"""Encryption of queues, buckets and secrets: on the way always, and at rest with a key of the stack if it has one."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.template.template import RESOURCES, TEMPLATE, properties_of
from tests.template.transformed import deployed, transformed_of

WITHOUT_TLS = {"Bool": {"aws:SecureTransport": "false"}}
POLICIES = {"AWS::SQS::Queue": "AWS::SQS::QueuePolicy", "AWS::S3::Bucket": "AWS::S3::BucketPolicy"}
# As the template has them, because each worker of a run collects these names, and the transform takes seconds.
STORES = [(kind, name) for kind in POLICIES for name, each in RESOURCES.items() if each["Type"] == kind]
SECRETS = properties_of("AWS::SecretsManager::Secret")
KEY = {"Ref": "DataKey"}


def policies_of(kind: str, name: str) -> list[Mapping[str, Any]]:
    """Return the policies of a queue or bucket."""
    policies = [each["Properties"] for each in transformed_of(POLICIES[kind]).values()]
    return [
        each["PolicyDocument"] for each in policies if {"Ref": name} in [each.get("Bucket"), *each.get("Queues", [])]
    ]


def stack(**parameters: str) -> Mapping[str, Any]:
    resources: Mapping[str, Any] = deployed(**parameters)["Resources"]
    return resources


def test_stores_are_discovered() -> None:
    assert {("AWS::SQS::Queue", "EventsQueue"), ("AWS::S3::Bucket", "ExportsBucket")} <= set(STORES)
    assert set(STORES) == {(kind, name) for kind in POLICIES for name in transformed_of(kind)}


@pytest.mark.parametrize(("kind", "name"), STORES)
def test_all_calls_without_tls_are_denied(kind: str, name: str) -> None:
    arn = {"Fn::GetAtt": f"{name}.Arn"}
    everything = [arn, {"Fn::Sub": f"${{{name}.Arn}}/*"}] if kind == "AWS::S3::Bucket" else arn

    [policy] = policies_of(kind, name)

    [statement] = [each for each in policy["Statement"] if each.get("Condition") == WITHOUT_TLS]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Action"] == ("s3:*" if kind == "AWS::S3::Bucket" else "sqs:*")
    assert statement["Resource"] == everything


@pytest.mark.parametrize("queue", [name for kind, name in STORES if kind == "AWS::SQS::Queue"])
def test_queue_is_encrypted(queue: str) -> None:
    with_default, with_key = stack()[queue], stack(CustomerManagedKey="true")[queue]

    assert with_default["Properties"]["SqsManagedSseEnabled"] is True
    assert "KmsMasterKeyId" not in with_default["Properties"]
    assert with_key["Properties"]["KmsMasterKeyId"] == KEY
    assert "SqsManagedSseEnabled" not in with_key["Properties"]


@pytest.mark.parametrize("bucket", [name for kind, name in STORES if kind == "AWS::S3::Bucket"])
def test_bucket_is_encrypted(bucket: str) -> None:
    [with_default] = rules_of(stack()[bucket])
    [with_key] = rules_of(stack(CustomerManagedKey="true")[bucket])

    assert with_default["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert with_key["ServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": {"Fn::GetAtt": "DataKey.Arn"},
    }
    assert with_key["BucketKeyEnabled"] is True  # one call of KMS for many objects


@pytest.mark.parametrize("secret", SECRETS)
def test_secret_of_the_stack_is_encrypted(secret: str) -> None:
    assert "KmsKeyId" not in stack()[secret]["Properties"]
    assert stack(CustomerManagedKey="true")[secret]["Properties"]["KmsKeyId"] == KEY


def test_data_key_exists_only_if_it_is_wanted() -> None:
    assert "DataKey" not in stack()
    assert '"DataKey' not in json.dumps(stack())
    assert stack(CustomerManagedKey="true")["DataKey"]["Properties"]["EnableKeyRotation"] is True


def test_data_key_is_used_by_this_account_through_three_services() -> None:
    """Otherwise callers of other accounts, or roles without a service, could use it."""
    statements = TEMPLATE["Resources"]["DataKey"]["Properties"]["KeyPolicy"]["Statement"]

    [use] = [each for each in statements if each["Principal"] == {"AWS": "*"}]

    services = {each["Fn::Sub"].partition(".")[0] for each in use["Condition"]["StringEquals"]["kms:ViaService"]}
    assert services == {"sqs", "s3", "secretsmanager"}
    assert use["Condition"]["StringEquals"]["kms:CallerAccount"] == {"Ref": "AWS::AccountId"}
    assert set(use["Condition"]) == {"StringEquals"}


def rules_of(bucket: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rules: list[Mapping[str, Any]] = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    return rules
