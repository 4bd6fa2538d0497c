"""The comparison of permissions with recorded calls, tested with invented calls.

A whole run of the tests makes it on real ones.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.stack.bridge.permissions import Permission, parse_signed, permissions_of
from tests.given import ROOT
from tests.least_privilege import EXHAUSTIVE, REASONS, SOMETIMES, WITHOUT_EXHAUSTIVE
from tests.members import for_each
from tests.recorded_calls import Call, caller_of
from tests.template.granted import Grant, compare, granted, list_lacking, polled

READ_SECRETS = Grant(function="usage", actions=("secretsmanager:GetSecretValue",), resources=("a:database", "a:redis"))
FILES = Grant(function="erase", actions=("s3:DeleteObject", "s3:DeleteObjectVersion"), resources=("s3:Exports/*",))
USED: set[Call] = {
    ("usage", "secretsmanager:GetSecretValue", "a:database"),
    ("usage", "secretsmanager:GetSecretValue", "a:redis"),
    ("erase", "s3:DeleteObject", "s3:Exports/acme/1"),
    ("erase", "s3:DeleteObjectVersion", "s3:Exports/acme/1"),
}
SMALL = "tests/unit/test_tiers.py"  # needs no server and no template
SCOPE = "AWS4-HMAC-SHA256 Credential=Erase/20261124/eu-central-1/{}/aws4_request, SignedHeaders=host, Signature=0"
REQUESTS: dict[tuple[str, str, str, str, bytes], list[Permission]] = {
    ("sqs", "POST", "/", "AmazonSQS.SendMessageBatch", b'{"QueueUrl":"http://127.0.0.1:1/1/events"}'): [
        ("sqs:SendMessage", "sqs:events")
    ],
    ("secretsmanager", "POST", "/", "secretsmanager.GetSecretValue", b'{"SecretId": "tenancy/test/redis"}'): [
        ("secretsmanager:GetSecretValue", "secretsmanager:secret:tenancy/test/redis")
    ],
    ("kms", "POST", "/", "TrentService.Sign", b'{"KeyId":"arn:aws:kms:eu-central-1:1:key/1a"}'): [
        ("kms:Sign", "kms:key/1a")
    ],
    (
        "states",
        "POST",
        "/",
        "AWSStepFunctions.DescribeExecution",
        b'{"executionArn":"arn:aws:states:e:1:execution:m:n"}',
    ): [("states:DescribeExecution", "states:execution:m:n")],
    ("events", "POST", "/", "AWSEvents.PutEvents", b"{}"): [("events:PutEvents", "events:event-bus/default")],
    ("acm", "POST", "/", "CertificateManager.RequestCertificate", b'{"DomainName": "a.example", "Tags": []}'): [
        ("acm:RequestCertificate", "acm:certificate/"),
        ("acm:AddTagsToCertificate", "acm:certificate/new"),
    ],
    ("s3", "PUT", "/exports/acme/1", "", b""): [("s3:PutObject", "s3:exports/acme/1")],
    ("s3", "GET", "/exports?versions&prefix=acme", "", b""): [("s3:ListBucketVersions", "s3:exports")],
    ("s3", "GET", "/exports?list-type=2", "", b""): [("s3:ListBucket", "s3:exports")],
    ("s3", "GET", "/exports?encryption", "", b""): [("s3:GetEncryptionConfiguration", "s3:exports")],
    ("s3", "GET", "/exports?lifecycle", "", b""): [("s3:GetLifecycleConfiguration", "s3:exports")],
    ("s3", "GET", "/exports?versioning", "", b""): [("s3:GetBucketVersioning", "s3:exports")],
    ("rds", "POST", "/", "", b"Action=ModifyDBCluster&DBClusterIdentifier=tenancy"): [
        ("rds:ModifyDBCluster", "rds:cluster:tenancy")
    ],
    ("cloudformation", "POST", "/", "", b"Action=DescribeStacks&StackName=tenancy"): [
        ("cloudformation:DescribeStacks", "cloudformation:tenancy")
    ],
    (
        "s3",
        "POST",
        "/exports?delete",
        "",
        b"<Object><Key>a</Key></Object><Object><Key>b</Key><VersionId>1</VersionId></Object>",
    ): [("s3:DeleteObject", "s3:exports/a"), ("s3:DeleteObjectVersion", "s3:exports/b")],
    ("apigateway", "POST", "/apikeys", "", b'{"name": "a", "tags": {"b": "c"}}'): [
        ("apigateway:POST", "apigateway:/apikeys"),
        ("apigateway:PUT", "apigateway:/tags/arn%3Aaws%3Aapigateway%3Aregion%3A%3A%2Fapikeys%2Fnew"),
    ],
    ("ses", "POST", "/v2/email/outbound-emails", "", b'{"FromEmailAddress": "Acme <a@acme.example>"}'): [
        ("ses:SendEmail", "ses:identity/a@acme.example")
    ],
    ("ses", "GET", "/v2/email/identities/acme.example", "", b""): [
        ("ses:GetEmailIdentity", "ses:identity/acme.example")
    ],
    ("route53", "POST", "/2013-04-01/hostedzone/Z1/rrset/", "", b""): [
        ("route53:ChangeResourceRecordSets", "route53:hostedzone/Z1")
    ],
    ("lambda", "POST", "/2015-03-31/functions/fetch/invocations", "", b"{}"): [
        ("lambda:InvokeFunction", "lambda:function:fetch")
    ],
    (
        "lambda",
        "POST",
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Ae%3A1%3Afunction%3Afetch%3Alive/invocations",
        "",
        b"{}",
    ): [("lambda:InvokeFunction", "lambda:function:fetch:live")],
    ("dynamodb", "POST", "/", "DynamoDB.GetItem", b"{}"): [("dynamodb:POST /", "dynamodb:")],
}


def test_calls_of_all_permissions_need_no_line() -> None:
    assert compare([READ_SECRETS, FILES], USED, {}) == []


@for_each("call", sorted(USED))
def test_permission_without_a_call_is_found(call: Call) -> None:
    [line] = compare([READ_SECRETS, FILES], USED - {call}, {})

    assert line.startswith(f"No test needs this permission: {call[0]}: {call[1]} on ")


@pytest.mark.parametrize(
    "call",
    [
        ("usage", "secretsmanager:GetSecretValue", "a:platform-database"),
        ("usage", "secretsmanager:PutSecretValue", "a:redis"),
        ("erase", "secretsmanager:GetSecretValue", "a:redis"),
    ],
)
def test_call_without_a_permission_is_found(call: Call) -> None:
    lines = compare([READ_SECRETS, FILES], USED | {call}, {})

    assert lines == [f"The role lacks a permission that was needed: {call[0]}: {call[1]} on {call[2]}"]
    assert list_lacking([READ_SECRETS, FILES], {call}) == lines


def test_reason_excuses_a_permission_until_a_call_needs_it() -> None:
    reasons = {"usage: secretsmanager:GetSecretValue on a:redis": "Redis is replaced."}
    without = USED - {("usage", "secretsmanager:GetSecretValue", "a:redis")}

    assert compare([READ_SECRETS, FILES], without, reasons) == []
    assert compare([READ_SECRETS, FILES], USED, reasons) == [
        "Delete this reason, because the permission is needed or gone: usage: secretsmanager:GetSecretValue on a:redis"
    ]


def test_permission_that_a_run_may_need_is_no_line() -> None:
    permission = "usage: secretsmanager:GetSecretValue on a:redis"
    without = USED - {("usage", "secretsmanager:GetSecretValue", "a:redis")}

    assert compare([READ_SECRETS, FILES], without, {}, [permission]) == []
    assert compare([READ_SECRETS, FILES], USED, {}, [permission]) == []


def test_each_reason_is_of_a_permission_of_the_template() -> None:
    unused = {line for grant in granted() for line in grant.unused([])} | {
        f"{grant.function}: {grant.actions[0]} on {resource}" for grant in granted() for resource in grant.resources
    }

    assert set(REASONS) | set(SOMETIMES) | polled() <= unused


@for_each(("request", "expected"), list(REQUESTS.items()))
def test_request_needs_the_permissions_that_iam_names(
    request: tuple[str, str, str, str, bytes], expected: list[Permission]
) -> None:
    service, method, url, target, body = request
    headers = {"authorization": SCOPE.format(service), "x-amz-target": target}

    signed = parse_signed(method, url, headers, body)

    assert signed is not None
    assert signed.caller == "Erase"
    assert list(permissions_of(signed)) == expected


def test_presigned_link_needs_the_permission_of_its_signer() -> None:
    query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=Sweep%2F20261124%2Feu-central-1%2Fs3%2Faws4_request"

    signed = parse_signed("GET", f"http://127.0.0.1/exports/acme/1?{query}", {}, b"")

    assert signed is not None
    assert (signed.caller, list(permissions_of(signed))) == ("Sweep", [("s3:GetObject", "s3:exports/acme/1")])


def test_request_without_a_signature_is_of_no_function() -> None:
    assert parse_signed("GET", "http://127.0.0.1/exports", {}, b"") is None


def test_calls_are_named_as_in_the_template() -> None:
    values = {
        "AUDIT_QUEUE_URL": "http://127.0.0.1:1/123456789012/stack-AuditQueue-1X",
        "SECRETS_PREFIX": "tenancy/local",
    }

    caller = caller_of("usage", values)

    assert caller.named(("sqs:SendMessage", "sqs:stack-AuditQueue-1X")) == (
        "usage",
        "sqs:SendMessage",
        "sqs:AuditQueue",
    )
    assert caller.named(("secretsmanager:GetSecretValue", "secretsmanager:secret:tenancy/local/redis"))[2] == (
        "secretsmanager:secret:SecretsPrefix/redis"
    )


@pytest.mark.parametrize("options", [["-m", WITHOUT_EXHAUSTIVE], ["-n", "1"]])
def test_whole_run_fails_for_a_permission_that_it_did_not_need(options: list[str], tmp_path: Path) -> None:
    run = run_tests(["-o", f"testpaths={SMALL}", *options], tmp_path)

    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert "No test needs this permission: audit: sqs:SendMessage on sqs:AuditQueue" in run.stdout


@pytest.mark.parametrize("options", [[SMALL], ["-o", f"testpaths={SMALL}", "-k", "tier"]])
def test_run_of_some_tests_compares_nothing(options: list[str], tmp_path: Path) -> None:
    run = run_tests(options, tmp_path)

    assert run.returncode == pytest.ExitCode.OK
    assert "permission" not in run.stdout


def test_two_targets_run_all_tests_together_and_ci_runs_both() -> None:
    makefile = (ROOT / "Makefile").read_text()

    assert re.findall(r"pytest --numprocesses .* -m '?([a-z ]+)'?", makefile) == [WITHOUT_EXHAUSTIVE, EXHAUSTIVE]
    assert "make --silent lint test test-exhaustive\n" in (ROOT / ".ci" / "run").read_text()


def run_tests(options: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run pytest in a process of its own, without a deployed stack."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    environment = {**os.environ, "STACK_DIR": str(folder), "PYTHONPATH": f"layers/tenancy{os.pathsep}."}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, text=True, capture_output=True)
