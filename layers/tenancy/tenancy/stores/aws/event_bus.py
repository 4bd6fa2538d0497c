"""EventBridge: events for the operator's own systems."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from uuid import UUID

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError
from tenancy.stores.aws.boto import BOTO_CONFIG

SOURCE: Final = "tenancy"  # of the events of all stacks, followed by a point and the stack's name


class EventBus:
    """The default event bus of the account."""

    def __init__(self, region: str, stack_name: str) -> None:
        """Use the bus in *region*, with *stack_name* in the source of each event.

        The client is made at the first use.
        """
        self._region = region
        self._source = f"{SOURCE}.{stack_name}"

    def put_event(self, organization_id: UUID, detail_type: str, detail: Mapping[str, object]) -> None:
        """Send an event about the organization, and return when EventBridge has stored it.

        Its detail holds the id of the organization.

        Raises:
            UnavailableError: EventBridge rejected the event or is unreachable.
        """
        document = json.dumps({"organization_id": str(organization_id), **detail})
        entry = {"Source": self._source, "DetailType": detail_type, "Detail": document}
        try:
            answer = _client(self._region).put_events(Entries=[entry])
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("EventBridge did not accept the event.") from error
        if answer["FailedEntryCount"]:
            raise UnavailableError("EventBridge rejected the event.")


@cache
def _client(region: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    return boto3.client("events", region_name=region, config=BOTO_CONFIG)
