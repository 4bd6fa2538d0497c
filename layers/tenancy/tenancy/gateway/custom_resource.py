"""CloudFormation's custom resources: the answer goes to a presigned URL, whatever happens."""

import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final

TIMEOUT_SECONDS: Final = 10
REASON_MAX_CHARACTERS: Final = 500

type Work = Callable[[], dict[str, Any]]


def serve_custom_resource(event: Mapping[str, Any], physical_id: str, work: Work) -> dict[str, Any]:
    """Do *work* and return its data, reported to CloudFormation when it asked.

    Deleting the resource does nothing: data outlives the stack. A function that is invoked by hand has nobody to
    report to.

    Raises:
        Exception: whatever *work* raised, after CloudFormation has been told.
    """
    if event.get("RequestType") == "Delete":
        _report(event, physical_id, "SUCCESS", {}, "")
        return {}
    try:
        data = work()
    except Exception as error:
        _report(event, physical_id, "FAILED", {}, f"{type(error).__name__}: {error}")
        raise
    _report(event, physical_id, "SUCCESS", data, "")
    return data


def _report(event: Mapping[str, Any], physical_id: str, status: str, data: Mapping[str, Any], reason: str) -> None:
    if "ResponseURL" not in event:
        return
    document = {
        "Status": status,
        "Reason": reason[:REASON_MAX_CHARACTERS],
        "PhysicalResourceId": physical_id,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": data,
    }
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own URL
        event["ResponseURL"], data=json.dumps(document).encode(), method="PUT", headers={"Content-Type": ""}
    )
    urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS).close()  # noqa: S310
