"""The DNS records below the base domain to which custom domains point, in Route 53."""

from functools import cache
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.rules.durations import TARGET_RECORD_TTL_SECONDS
from tenancy.stores.aws.boto import BOTO_CONFIG, load_boto, make_client

CNAME: Final = "CNAME"
MOST_RECORDS: Final = 100  # of one organization, more than it can have


class TargetRecords:
    """The records of one hosted zone. Without a zone, as on the local stack, there are none."""

    def __init__(self, region: str, hosted_zone_id: str | None) -> None:
        """Use Route 53. The client is made at the first use."""
        self._region = region
        self._hosted_zone_id = hosted_zone_id
        load_boto()

    def put(self, name: str, target: str) -> None:
        """Let *name* lead to *target*. Idempotent.

        Raises:
            UnavailableError: Route 53 rejected the call or is unreachable.
        """
        if self._hosted_zone_id is not None:
            self._change("UPSERT", _record(name, target))

    def delete(self, name: str) -> None:
        """Delete the record *name* if it exists. Idempotent.

        Raises:
            UnavailableError: Route 53 rejected a call or is unreachable.
        """
        if self._hosted_zone_id is None:
            return
        found = self._find(name)
        if found is not None:
            self._change("DELETE", found)

    def count_all(self, prefix: str, parent: str) -> int:
        """Return the number of records directly below *parent* whose label begins with *prefix*, at most 100.

        Raises:
            UnavailableError: Route 53 rejected the call or is unreachable.
        """
        return len(self._list(prefix, parent))

    def delete_all(self, prefix: str, parent: str) -> None:
        """Delete those records. Idempotent.

        Raises:
            UnavailableError: Route 53 rejected a call or is unreachable.
        """
        for record in self._list(prefix, parent):
            self._change("DELETE", record)

    def _list(self, prefix: str, parent: str) -> list[Any]:
        """List the records in Route 53's order, in which those with the prefix are neighbours."""
        if self._hosted_zone_id is None:
            return []
        sets = self._list_from(f"{prefix}.{parent}", MOST_RECORDS)
        return [
            each
            for each in sets
            if each["Type"] == CNAME and each["Name"].startswith(prefix) and each["Name"].endswith(f".{parent}.")
        ]

    def _find(self, name: str) -> Any:  # noqa: ANN401 - JSON
        sets = self._list_from(name, 1)
        return next((each for each in sets if each["Name"] == f"{name}." and each["Type"] == CNAME), None)

    def _list_from(self, name: str, limit: int) -> Any:  # noqa: ANN401
        try:
            return _route53(self._region).list_resource_record_sets(
                HostedZoneId=self._hosted_zone_id, StartRecordName=name, StartRecordType=CNAME, MaxItems=str(limit)
            )["ResourceRecordSets"]
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("Route 53 did not list the records of domains.") from error

    def _change(self, action: str, record: Any) -> None:  # noqa: ANN401
        changes = [{"Action": action, "ResourceRecordSet": record}]
        try:
            _route53(self._region).change_resource_record_sets(
                HostedZoneId=self._hosted_zone_id, ChangeBatch={"Changes": changes}
            )
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("Route 53 did not change the record of a domain.") from error


@cache
def _route53(region: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    return make_client("route53", region, BOTO_CONFIG)


def _record(name: str, target: str) -> Any:  # noqa: ANN401
    return {"Name": f"{name}.", "Type": CNAME, "TTL": TARGET_RECORD_TTL_SECONDS, "ResourceRecords": [{"Value": target}]}
