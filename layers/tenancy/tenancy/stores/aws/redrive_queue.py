"""A queue to which dead letters are sent back."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.rules.dead_letters import FRAMES, DeadLetter
from tenancy.rules.unix_time import milliseconds_of
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.event_queue import MAX_BYTES_PER_CALL, MAX_MESSAGES_PER_CALL

ATTRIBUTE_BYTES: Final = 512  # an upper bound for the attributes of one message


class FoundLetter(NamedTuple):
    """A dead letter and its body."""

    letter: DeadLetter
    body: str


class RedriveQueue:
    """The SQS queue of events or of audit records."""

    def __init__(self, aws: AwsClient, queue_url: str) -> None:
        """Send to *queue_url*."""
        self._aws = aws
        self._queue_url = queue_url

    def send_back(self, found: Sequence[FoundLetter]) -> frozenset[UUID]:
        """Send dead letters that fit one call, and return the ids of those that SQS has stored.

        A message names its dead letter and its first receipt, so that a second failure is recognized.

        Raises:
            UnavailableError: SQS rejected the call or is unreachable. SQS may have stored some messages.
        """
        entries = [_entry(each) for each in found]
        try:
            answer = self._aws.call("AmazonSQS.SendMessageBatch", {"QueueUrl": self._queue_url, "Entries": entries})
        except AwsCallError as error:
            raise UnavailableError("SQS rejected the dead letters.") from error
        return frozenset(UUID(entry["Id"]) for entry in answer.get("Successful", []))


def split_into_calls(found: Iterable[FoundLetter]) -> Iterator[list[FoundLetter]]:
    """Yield dead letters in lists that fit one call."""
    call: list[FoundLetter] = []
    free = MAX_BYTES_PER_CALL
    for each in found:
        size = len(each.body.encode(errors="replace")) + ATTRIBUTE_BYTES
        if call and (len(call) == MAX_MESSAGES_PER_CALL or size > free):
            yield call
            call, free = [], MAX_BYTES_PER_CALL
        call.append(each)
        free -= size
    if call:
        yield call


def _entry(found: FoundLetter) -> dict[str, Any]:
    letter = found.letter
    values = {
        "organization_id": str(letter.organization_id),
        "dead_letter_id": str(letter.id),
        "first_received_at": str(milliseconds_of(letter.first_received_at)),
    }
    if letter.kind in FRAMES:
        values["table"] = letter.kind.value
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}
    if letter.events is not None:
        attributes["events"] = {"DataType": "Number", "StringValue": str(letter.events)}
    return {"Id": str(letter.id), "MessageBody": found.body, "MessageAttributes": attributes}
