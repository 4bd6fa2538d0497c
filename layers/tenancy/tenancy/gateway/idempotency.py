"""The header by which a client sends the same request again."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header

# No `type`: Powertools looks into annotations, and not behind names for them.
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", pattern=r"^[!-~]{1,255}$")]
