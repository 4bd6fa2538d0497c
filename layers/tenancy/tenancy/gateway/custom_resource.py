"""CloudFormation's custom resources: the answer goes to a presigned URL, whatever happens."""

import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final

from tenancy.errors import Refusal
from tenancy.gateway.serve import log_fault
from tenancy.rules.durations import CLOUDFORMATION_ANSWER_TIMEOUT_SECONDS
from tenancy.use_cases.schema.migrate import MigrationChangedError

OURS: Final = (Refusal, MigrationChangedError)

type Work = Callable[[], dict[str, Any]]


def serve_custom_resource(event: Mapping[str, Any], physical_id: str, work: Work) -> dict[str, Any]:
    """Do *work* and return its data, reported to CloudFormation when it asked.

    Deleting the resource does nothing: data outlives the stack. A failure that is not our own is reported by its type
    alone, because the text of a driver's error may hold a password; nothing is raised then, or Lambda would run it
    twice more. A function that is invoked by hand has nobody to report to, and raises.

    Raises:
        Exception: whatever *work* raised, when it was invoked by hand.
    """
    if event.get("RequestType") == "Delete":
        _report(event, physical_id, "SUCCESS", {}, "")
        return {}
    try:
        data = work()
    except Exception as error:
        if "ResponseURL" not in event:
            raise
        log_fault(error)
        text = str(error) if isinstance(error, OURS) else "see the function's log"
        _report(event, physical_id, "FAILED", {}, f"{type(error).__name__}: {text}")
        return {}
    _report(event, physical_id, "SUCCESS", data, "")
    return data


def _report(event: Mapping[str, Any], physical_id: str, status: str, data: Mapping[str, Any], reason: str) -> None:
    if "ResponseURL" not in event:
        return
    document = {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": physical_id,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": data,
    }
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own URL
        event["ResponseURL"], data=json.dumps(document).encode(), method="PUT", headers={"Content-Type": ""}
    )
    urllib.request.urlopen(request, timeout=CLOUDFORMATION_ANSWER_TIMEOUT_SECONDS).close()  # noqa: S310
