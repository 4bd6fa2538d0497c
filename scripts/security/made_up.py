"""Invented credentials in the repository, by file: their form, and the reason why they give no access."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MADE_UP: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        r"docs/(deploy|operations)\.md|layers/.*\.py": (r"user:password@", "They show the form of a URL."),
        r"events/.*\.json": (r"eyJ\w+\.e30\.c2ln", "These tokens are signed by the text `sig`."),
        r"scripts/openapi/answer_examples\.py": (r"\.c2lnbmF0dXJl", "This token is signed by the text `signature`."),
        r"tests/node/console/unit/return_address\.test\.mjs": (r"user:word@", "It is a refused address."),
        r"tests/.*\.py": (
            r"\b(nobody|user|tenancy|tenancy_owner):\S+@|eyJ\w+\.\w+\.(c2ln\w*)?",
            "No server has these users, and these tokens are unsigned, or signed by a text.",
        ),
    }
)
