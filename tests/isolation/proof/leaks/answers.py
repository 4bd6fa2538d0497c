"""Secrets in answers: only the request that asks for a key or token gets it, and gets it once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tests.isolation.proof.leaks.secrets import ACCESS_TOKEN_KIND, KEY_KIND, REFRESH_TOKEN_KIND, secrets_in

TOKENS_OF_A_SESSION = frozenset({ACCESS_TOKEN_KIND, REFRESH_TOKEN_KIND})
# The kinds of secrets that a successful answer of a route may show. No answer may show a password or a one-time token.
SHOWN_SECRETS: Mapping[str, frozenset[str]] = {
    "POST /organizations": frozenset({KEY_KIND}),
    "POST /apps": frozenset({KEY_KIND}),
    "POST /keys": frozenset({KEY_KIND}),
    "POST /keys/{key_id}/rotate": frozenset({KEY_KIND}),
    "POST /platform-keys": frozenset({KEY_KIND}),
    "POST /platform-keys/{platform_key_id}/rotate": frozenset({KEY_KIND}),
    "POST /auth/token": TOKENS_OF_A_SESSION,
    "POST /auth/refresh": TOKENS_OF_A_SESSION,
    "POST /auth/sso/token": TOKENS_OF_A_SESSION,
    "POST /users/accept": TOKENS_OF_A_SESSION,
}

WITH_SAMPLES = frozenset({"GET /openapi.json"})  # its examples have keys, tokens and passwords that belong to no caller


@dataclass(slots=True)
class AnswerInspector:
    """Checks all answers, and knows the secrets that they gave out, by their text with their route."""

    given_out: dict[str, str] = field(default_factory=dict)
    leaks: set[str] = field(default_factory=set)

    def check(
        self, route: str, text: str, *, is_success: bool, is_repeatable: bool, path: Collection[str] = ()
    ) -> None:
        """Check the answer *text* of *route*.

        *is_repeatable*: the request had an Idempotency-Key, with which the same route gives the same answer again.
        *path* has the values in the path of the request. SDKs of Segment read their key there again.
        """
        if route in WITH_SAMPLES:
            return
        for kind, secret in secrets_in(text):
            if is_success and kind == KEY_KIND and secret in path:
                continue
            if not is_success or kind not in SHOWN_SECRETS.get(route, ()):
                self.leaks.add(f"{route}: the answer shows {kind}")
            elif secret in self.given_out and not (is_repeatable and self.given_out[secret] == route):
                self.leaks.add(f"{route}: the answer shows {kind} that an earlier answer gave out")
            self.given_out.setdefault(secret, route)
