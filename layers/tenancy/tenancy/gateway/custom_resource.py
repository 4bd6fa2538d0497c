"""CloudFormation custom resources.

The result is always sent to the presigned URL of the request.
"""

import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from tenancy.errors import AwsCallError, DeploymentError, Refusal
from tenancy.gateway.serve import log_fault
from tenancy.rules.access_tokens.token_keys import TokenKeysError
from tenancy.rules.durations import CLOUDFORMATION_ANSWER_TIMEOUT_SECONDS
from tenancy.use_cases.schema.migrate import AuthorizerLoginError, MigrationChangedError

ERRORS_WITH_SAFE_TEXT: Final = (DeploymentError, Refusal, AuthorizerLoginError, MigrationChangedError, TokenKeysError)

type Work = Callable[[], dict[str, Any]]


def serve_custom_resource(
    event: Mapping[str, Any], physical_id: str, work: Work, *, undo: Work = dict
) -> dict[str, Any]:
    """Do *work* and return its data. Report the result to CloudFormation if it sent the request.

    A request to delete the resource calls *undo* instead. By default it changes nothing, because the data outlives the
    stack.

    A failure is reported with the type of the error. The text is added only for our own errors, because the text of a
    driver's error may contain a password. Of these the codes are added: the roll-back of a first deploy deletes the
    log. Nothing is raised then, or Lambda would run the function two more times.

    Raises:
        Exception: *work* failed, and the function was invoked by hand, without CloudFormation.
    """
    try:
        data = undo() if event.get("RequestType") == "Delete" else work()
    except Exception as error:
        if "ResponseURL" not in event:
            raise
        log_fault(error)
        _report(event, physical_id, "FAILED", {}, f"{type(error).__name__}: {_reason_of(error)}")
        return {}
    _report(event, physical_id, "SUCCESS", data, "")
    return data


def _reason_of(error: Exception) -> str:
    """Return the text of our own errors, or the codes of a driver's error."""
    if isinstance(error, ERRORS_WITH_SAFE_TEXT):
        return str(error)
    return " ".join([*_codes_of(error), "See the function's log, or docs/deploy.md if it is gone."])


def _codes_of(error: Exception) -> Iterator[str]:
    """Yield the codes of an error of AWS, PostgreSQL or ClickHouse. Only stores may import the classes."""
    facts = vars(error)
    if isinstance(facts.get("response"), Mapping):  # of boto
        yield f"{facts.get('operation_name')} was answered {facts['response'].get('Error', {}).get('Code')}."
    if isinstance(error, AwsCallError):
        yield f"AWS answered {error.code}."
    if sqlstate := getattr(error, "sqlstate", None):
        yield f"PostgreSQL answered SQLSTATE {sqlstate}."
    if isinstance(facts.get("code"), int):
        yield f"ClickHouse answered code {facts['code']}."


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
