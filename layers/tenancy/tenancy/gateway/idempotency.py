"""The `Idempotency-Key` header, with which a client can safely repeat a request."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header

from tenancy.gateway.parameters import Matching

# Not `type` statements: Powertools does not resolve type aliases in annotations.
KeyText = Annotated[str, Matching(r"[!-~]{1,255}", "Expected 1 to 255 visible ASCII characters.")]
IdempotencyKey = Annotated[KeyText | None, Header(alias="Idempotency-Key")]
