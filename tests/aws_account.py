"""The AWS account that moto plays, with the resources of the template.

The resources are made inside moto, without HTTP: every test needs them, and requests would cost most of its time.
"""

from collections.abc import Iterable
from copy import copy
from functools import cache
from urllib.parse import urlparse

from moto.apigateway.models import apigateway_backends
from moto.kms.models import Key, KmsBackend, kms_backends
from moto.moto_api._internal.models import moto_api_backend
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sesv2.models import sesv2_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.models import stepfunctions_backends

from tenancy.rules.usage_plans import UsagePlan, fence_of
from tests.given import (
    DEAD_LETTERS_BUCKET,
    EXPORTS_BUCKET,
    PLANS_PATH,
    REGION,
    REGISTER_BUCKET,
    ROOT,
    SENDER,
    AwsAccount,
)

ACCOUNT = "123456789012"  # moto's default


def make_account(moto_url: str) -> AwsAccount:
    """Reset moto, and make the queues, keys, plans, bucket and state machine of a stack."""
    moto_api_backend.reset()
    sesv2_backends[ACCOUNT][REGION].create_email_identity(SENDER, [], None, None)
    for bucket in (EXPORTS_BUCKET, DEAD_LETTERS_BUCKET, REGISTER_BUCKET):
        s3_backends[ACCOUNT]["aws"].create_bucket(bucket, REGION)
    return AwsAccount(
        endpoint_url=moto_url,
        queue_url=_make_queue("events", moto_url),
        dead_letters_url=_make_queue("dead-letters", moto_url),
        audit_queue_url=_make_queue("audit", moto_url),
        audit_dead_letters_url=_make_queue("audit-dead-letters", moto_url),
        rejected_calls_url=_make_queue("rejected-calls", moto_url),
        signing_key_id=_make_key("ECC_NIST_P256", "SIGN_VERIFY"),
        encryption_key_id=_make_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        exports_bucket=EXPORTS_BUCKET,
        dead_letters_bucket=DEAD_LETTERS_BUCKET,
        register_bucket=REGISTER_BUCKET,
        plan_ids={plan.value: _make_plan(plan) for plan in UsagePlan},
        state_machine_arn=_make_state_machine(),
    )


def put_secret(name: str, text: str) -> None:
    """Give the secret *name* the value *text*, also if there is no such secret yet."""
    backend = secretsmanager_backends[ACCOUNT][REGION]
    if name in backend.secrets:
        backend.secrets.pop(name)
    backend.create_secret(name, text, None, None, None, None, None, [], force_overwrite=False)


def make_secret_without_value(name: str) -> None:
    """Make the secret *name* anew, without a version, as CloudFormation does."""
    backend = secretsmanager_backends[ACCOUNT][REGION]
    if name in backend.secrets:
        backend.secrets.pop(name)
    backend.create_secret(name, None, None, None, None, None, None, [], force_overwrite=False)


def put_objects(bucket: str, keys: Iterable[str]) -> None:
    """Put small objects with these *keys* into *bucket*, without HTTP."""
    for key in keys:
        s3_backends[ACCOUNT]["aws"].put_object(bucket, key, b"1")


def _make_queue(name: str, moto_url: str) -> str:
    return sqs_backends[ACCOUNT][REGION].create_queue(name).url(urlparse(moto_url))


def _make_key(spec: str, usage: str) -> str:
    key = copy(_generate_key(spec, usage))
    kms_backends[ACCOUNT][REGION].keys[key.id] = key
    return str(key.id)


@cache
def _generate_key(spec: str, usage: str) -> Key:
    """Return a new key. All tests of a process share it, because moto generates an RSA key for each key."""
    return KmsBackend(REGION, ACCOUNT).create_key(
        policy=None, key_usage=usage, key_spec=spec, description="", tags=None
    )


def _make_plan(named: UsagePlan) -> str:
    from moto.ssm.models import ssm_backends  # noqa: PLC0415 - it reads all types of instances, for half a second

    fence = fence_of(named)
    throttle = {"rateLimit": fence.rate_per_second, "burstLimit": fence.burst}
    plan = apigateway_backends[ACCOUNT][REGION].create_usage_plan({"name": named.value, "throttle": throttle})
    ssm_backends[ACCOUNT][REGION].put_parameter(
        name=f"{PLANS_PATH}/{named.value}",
        description="",
        value=plan.id,
        parameter_type="String",
        allowed_pattern="",
        keyid="",
        overwrite=False,
        tags=[],
        data_type="text",
        tier=None,
        policies=None,
    )
    return str(plan.id)


def _make_state_machine() -> str:
    machine = stepfunctions_backends[ACCOUNT][REGION].create_state_machine(
        name="delete-organization",
        definition=(ROOT / "functions/delete/delete_organization.asl.json").read_text(),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/delete-organization",
    )
    return str(machine.arn)
