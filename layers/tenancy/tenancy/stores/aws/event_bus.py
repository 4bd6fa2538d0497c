"""EventBridge: what the platform's own systems are told."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tenancy.errors import UnavailableError

SOURCE: Final = "tenancy"
TIMEOUTS: Final = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1})


class EventBus:
    """The account's default bus."""

    def __init__(self, region: str) -> None:
        """The client is made at the first use."""
        self._region = region

    def put_event(self, organization_id: UUID, detail_type: str, detail: Mapping[str, object]) -> None:
        """Return when EventBridge has the event, whose detail names the organization.

        Raises:
            UnavailableError: it refuses the event, or does not answer.
        """
        document = json.dumps({"organization_id": str(organization_id), **detail})
        entry = {"Source": SOURCE, "DetailType": detail_type, "Detail": document}
        try:
            answer = _client(self._region).put_events(Entries=[entry])
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError("EventBridge does not take the event.") from error
        if answer["FailedEntryCount"]:
            raise UnavailableError("EventBridge refuses the event.")


@cache
def _client(region: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    return boto3.client("events", region_name=region, config=TIMEOUTS)
