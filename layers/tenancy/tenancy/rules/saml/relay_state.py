"""The state of a log-in as RelayState, which has at most 80 bytes (SAML 2.0 Bindings, 3.4.3).

The id is written in base64url, and the prefix is left out. This shortens 84 characters to 71.
"""

import base64
import binascii
from typing import Final
from uuid import UUID

from tenancy.rules.people.opaque_tokens import (
    ID_CHARACTERS,
    TOKEN_PREFIX_CHARACTERS,
    OpaqueToken,
    TokenType,
    find_token,
)

RELAY_STATE_MAX_BYTES: Final = 80
SHORT_ID_CHARACTERS: Final = 22  # 16 bytes in base64url without padding
PADDING: Final = "=="


def relay_state_of(state: OpaqueToken) -> str:
    """Return *state* in its short form."""
    short_id = base64.urlsafe_b64encode(state.organization_id.bytes).decode().removesuffix(PADDING)
    return f"{short_id}{state.text[TOKEN_PREFIX_CHARACTERS + ID_CHARACTERS :]}"


def find_relayed_state(text: str) -> OpaqueToken | None:
    """Return the state whose short form is *text*, or None if it is none."""
    if len(text) > RELAY_STATE_MAX_BYTES or not text.isascii():
        return None
    try:
        organization_id = UUID(bytes=base64.urlsafe_b64decode(text[:SHORT_ID_CHARACTERS] + PADDING))
    except (ValueError, binascii.Error):
        return None
    state = find_token(f"{TokenType.SSO_STATE}_{organization_id.hex}{text[SHORT_ID_CHARACTERS:]}", TokenType.SSO_STATE)
    return state if state is not None and relay_state_of(state) == text else None


def request_id_of(state: OpaqueToken) -> str:
    """Return the ID of the request with *state*. An answer to it proves that its sender knew the request."""
    return f"_{state.digest.hex()}"
