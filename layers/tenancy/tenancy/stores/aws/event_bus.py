"""EventBridge: events for the operator's own systems."""

import json
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.stores.aws.client import AwsClient

SOURCE: Final = "tenancy"  # of the events of all stacks, followed by a point and the stack's name


class EventBus:
    """The default event bus of the account."""

    def __init__(self, aws: AwsClient, stack_name: str) -> None:
        """Use the bus of the client's region, with *stack_name* in the source of each event."""
        self._aws = aws
        self._source = f"{SOURCE}.{stack_name}"

    def put_event(self, organization_id: UUID, detail_type: str, detail: Mapping[str, object]) -> None:
        """Send an event about the organization, and return when EventBridge has stored it.

        Its detail holds the id of the organization. An event whose connection broke may be sent twice.

        Raises:
            UnavailableError: EventBridge rejected the event or is unreachable.
        """
        document = json.dumps({"organization_id": str(organization_id), **detail})
        entry = {"Source": self._source, "DetailType": detail_type, "Detail": document}
        try:
            answer = self._aws.call("AWSEvents.PutEvents", {"Entries": [entry]}, json_version="1.1")
        except AwsCallError as error:
            raise UnavailableError("EventBridge did not accept the event.") from error
        if answer["FailedEntryCount"]:
            raise UnavailableError("EventBridge rejected the event.")
