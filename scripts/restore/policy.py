"""The policy of IAM that the role of an operator needs for a replay, and no more.

It has the statements of the role of `Erase`, and those for data subjects, audit logs and the register itself.
"""

from typing import Any, Final

from tenancy.settings import Settings
from tenancy.stores.aws.secrets import CLICKHOUSE, DATABASE, PLATFORM_DATABASE, REDIS

SECRETS: Final = (PLATFORM_DATABASE, DATABASE, CLICKHOUSE, REDIS)
WRITTEN_KINDS: Final = ("organizations", "subjects")  # entries that a replay writes, as the first erasure did

type Statement = dict[str, Any]


def policy_of(settings: Settings, function_arn: str) -> dict[str, Any]:
    """Return the policy for the stack of *settings*, whose function `Erase` has *function_arn*."""
    partition, _, region, account = function_arn.split(":")[1:5]

    def arn(service: str, rest: str) -> str:
        return f"arn:{partition}:{service}:{region}:{account}:{rest}"

    stack_name = settings.stack_name
    stack = arn("cloudformation", f"stack/{stack_name}/*")
    secrets = [arn("secretsmanager", f"secret:{settings.secrets_prefix}/{name}-??????") for name in SECRETS]
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow("cloudformation:DescribeStackResource", stack),
            _allow("lambda:GetFunctionConfiguration", function_arn),
            _allow("secretsmanager:GetSecretValue", *secrets),
            _allow(["kms:Sign", "kms:Verify"], arn("kms", f"key/{settings.signing_key_id}")),
            *_of_buckets(settings, partition),
            *_of_gateway(f"arn:{partition}:apigateway:{region}::", stack_name),
            *_of_certificates(arn("acm", "certificate/*"), stack_name),
            *_of_zone(settings, partition),
        ],
    }


def _of_buckets(settings: Settings, partition: str) -> list[Statement]:
    exports, letters, register = (
        f"arn:{partition}:s3:::{bucket}"
        for bucket in (settings.exports_bucket, settings.dead_letters_bucket, settings.register_bucket)
    )
    return [
        _allow(["s3:DeleteObject", "s3:DeleteObjectVersion"], f"{exports}/*", f"{letters}/*"),
        _allow("s3:ListBucketVersions", exports, letters),
        _allow(["s3:GetObject", "s3:PutObject"], f"{letters}/*"),
        _allow("s3:ListBucket", letters, register),
        _allow("s3:GetObject", f"{register}/*"),
        _allow("s3:PutObject", *(f"{register}/{kind}/*" for kind in WRITTEN_KINDS)),
    ]


def _of_gateway(api: str, stack_name: str) -> list[Statement]:
    of_plans = {"StringEquals": {"aws:ResourceTag/tenancy:usage-plans": f"/{stack_name}/usage-plans"}}
    return [
        _allow("apigateway:GET", f"{api}/apikeys", f"{api}/domainnames", f"{api}/domainnames/*"),
        _allow("apigateway:DELETE", f"{api}/apikeys/*", condition=of_plans),
        _allow("apigateway:DELETE", f"{api}/domainnames/*", condition=_of_domains(stack_name)),
    ]


def _of_certificates(certificates: str, stack_name: str) -> list[Statement]:
    return [
        _allow("acm:ListCertificates", "*"),
        _allow("acm:ListTagsForCertificate", certificates),
        _allow("acm:DeleteCertificate", certificates, condition=_of_domains(stack_name)),
    ]


def _of_zone(settings: Settings, partition: str) -> list[Statement]:
    if not settings.hosted_zone_id:
        return []
    zone, key = f"arn:{partition}:route53:::hostedzone/{settings.hosted_zone_id}", "route53:ChangeResourceRecordSets"
    deletions = {
        "ForAllValues:StringLike": {f"{key}NormalizedRecordNames": [f"*.domains.{settings.base_domain}"]},
        "ForAllValues:StringEquals": {f"{key}RecordTypes": ["CNAME"], f"{key}Actions": ["DELETE"]},
        "Null": {f"{key}{name}": "false" for name in ("NormalizedRecordNames", "RecordTypes", "Actions")},
    }
    return [_allow("route53:ListResourceRecordSets", zone), _allow(key, zone, condition=deletions)]


def _of_domains(stack_name: str) -> dict[str, Any]:
    """Return the condition of resources that the stack made for a custom domain."""
    return {
        "StringEquals": {"aws:ResourceTag/tenancy:domains-of": stack_name},
        "Null": {"aws:ResourceTag/aws:cloudformation:stack-name": "true"},
    }


def _allow(actions: str | list[str], *resources: str, condition: dict[str, Any] | None = None) -> Statement:
    statement: Statement = {"Effect": "Allow", "Action": actions, "Resource": list(resources)}
    return statement if condition is None else {**statement, "Condition": condition}
