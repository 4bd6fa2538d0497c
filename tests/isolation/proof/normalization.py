"""Placeholders for ids, times, counts, cursors, keys and tokens, so that two answers can be compared."""

import re
from collections.abc import Mapping

UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
KEYS = re.compile(r"\b[psw]k_[0-9A-Za-z]{49}\b")
PARTS_OF_KEYS = re.compile(r'("(?:prefix|hint)": ?)"[^"]*"')
TOKENS = re.compile(
    r"(?:rt|ss|sf|sc)_[0-9A-Za-z]{16,}|eyJ[\w-]+\.[\w-]+\.[\w-]+|tenancy-(?:verification|domain)=\w+"
    r"|\b[0-9a-f]{32}(?=\.domains\.)"
)
OF_A_LOG_IN = re.compile(r"(sso_[0-9a-f]{16}=|(?:nonce|code_challenge)=)[\w-]*|sso_[0-9a-f]{16}")
CURSORS = re.compile(r'("next_cursor": ?)"[^"]*"')  # that of events by the time of storage has the time of the request
COUNTS = re.compile(
    r'("(?:used|remaining|ml_predictions|api_requests|ingest_requests)": ?)\d+'
)  # grow with every request


def normalize(text: str, placeholders: Mapping[str, str] | None = None) -> str:
    """Replace ids, times, counts, cursors, keys and tokens in *text*.

    The keys of *placeholders* are replaced by their values.
    """
    text = OF_A_LOG_IN.sub("<log-in>", text)
    text = CURSORS.sub(r'\1"<cursor>"', TOKENS.sub("<token>", COUNTS.sub(r"\1<count>", text)))
    for value, placeholder in (placeholders or {}).items():
        text = text.replace(value, placeholder)
    text = PARTS_OF_KEYS.sub(r"\1<part>", KEYS.sub("<key>", text))
    return TIMESTAMP.sub("<time>", UUIDS.sub("<id>", text))
