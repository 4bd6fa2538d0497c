"""Findings of checkov that are accepted, each with its reason."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

WITH_OPTIONS: Final = "*-with-options.json"
WITHOUT_OPTIONS: Final = "*-without-options.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A check whose findings are accepted, for resources and files by patterns."""

    check: str
    reason: str
    resource: str = "*"
    file: str = "*"

    def covers(self, check: str, resource: str, file: str) -> bool:
        """Tell whether the finding is accepted."""
        return check == self.check and fnmatchcase(resource, self.resource) and fnmatchcase(file, self.file)


ACCEPTED: Final = (
    Accepted(
        check="CKV_AWS_18",
        reason="Functions alone use the buckets. The audit log has each export and each redrive.",
        file="*/template-*",
    ),
    Accepted(check="CKV_AWS_21", reason="An old version would keep erased data.", file="*/template-*"),
    Accepted(
        check="CKV_AWS_27", reason="SQS encrypts with its own key without CustomerManagedKey.", file=WITHOUT_OPTIONS
    ),
    Accepted(
        check="CKV_AWS_33",
        reason="Any caller means any of this account, through three services: the conditions say so.",
        resource="AWS::KMS::Key.DataKey",
    ),
    Accepted(check="CKV_AWS_73", reason="Each function is traced. A trace of each refused request would cost more."),
    Accepted(
        check="CKV_AWS_76", reason="AccessLogs needs a role of the account, not of a stack.", file=WITHOUT_OPTIONS
    ),
    Accepted(check="CKV_AWS_115", reason="IngestConcurrency limits Ingest, and leaves executions for all others."),
    Accepted(
        check="CKV_AWS_116",
        reason="Queues have dead-letter queues. The next run repeats a schedule, and the caller a request.",
    ),
    Accepted(check="CKV_AWS_117", reason="VpcSubnetIds puts functions into a VPC. Fetch stays outside."),
    Accepted(
        check="CKV_AWS_118",
        reason="CloudWatch has the metrics of the instances. Those of the operating system cost more.",
        resource="AWS::RDS::DBInstance.*",
    ),
    Accepted(check="CKV_AWS_120", reason="An answer depends on the credential, so it must not be cached."),
    Accepted(
        check="CKV_AWS_149",
        reason="Secrets Manager encrypts with its own key without CustomerManagedKey.",
        file=WITHOUT_OPTIONS,
    ),
    Accepted(check="CKV_AWS_158", reason="Logs have no secret and no personal data. CloudWatch encrypts them."),
    Accepted(
        check="CKV_AWS_162",
        reason="Users log in with passwords, which the proxy knows. Tokens of IAM would need one more call.",
        resource="AWS::RDS::DBCluster.Cluster",
    ),
    Accepted(check="CKV_AWS_173", reason="Variables have names and numbers. Secrets are in Secrets Manager."),
    Accepted(
        check="CKV_AWS_192",
        reason="No program of the stack is in Java.",
        resource="AWS::WAFv2::WebACL.WebAcl",
        file=WITH_OPTIONS,
    ),
)
