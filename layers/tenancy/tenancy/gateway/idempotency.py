"""The `Idempotency-Key` header, with which a client can safely repeat a request."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header

# Not a `type` statement: Powertools does not resolve type aliases in annotations.
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", pattern=r"^[!-~]{1,255}$")]
