"""The snippets of docs/sdks.md as programs that send to a served API."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from tests.given import ROOT

PAGE = ROOT / "docs" / "sdks.md"
SECTION = re.compile(r"^### (\S+)$(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```(python|js|js browser)$\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"^(?:analytics\.(identify|track|page|screen|group|alias)|await (ingest))\(", re.MULTILINE)
HOST, KEY = "api.example.com", "wk_YOUR_WRITE_KEY"
BROWSER = "js browser"


@dataclass(frozen=True)
class Snippet:
    """The code below the heading of an SDK.

    The calls are one paragraph of the code, so that they can be repeated.
    """

    sdk: str
    language: str
    code: str

    @cached_property
    def calls(self) -> Counter[str]:
        """Return the number of calls of each kind."""
        return Counter(first or second for first, second in CALL.findall(self.code))

    @property
    def setup(self) -> str:
        """Return the code before the calls."""
        return self.code[: self.code.index(self._calls_paragraph)]

    def repeated(self, times: int) -> str:
        """Return the code with its calls made *times* times."""
        return self.code.replace(self._calls_paragraph, "\n".join([self._calls_paragraph] * times))

    @property
    def _calls_paragraph(self) -> str:
        [paragraph] = [each for each in self.code.rstrip("\n").split("\n\n") if CALL.match(each)]
        return paragraph


def with_address(code: str, host: str, key: str) -> str:
    """Return *code* with the host and the key of a test, whose server has no certificate."""
    for secure, local in (
        (f"https://{HOST}", f"http://{host}"),
        ('protocol: "https"', 'protocol: "http"'),
        (HOST, host),
    ):
        code = code.replace(secure, local)
    return code.replace(KEY, key)


def list_snippets() -> list[Snippet]:
    """Return all snippets of docs/sdks.md in order."""
    sections = SECTION.findall(PAGE.read_text())
    return list(chain.from_iterable((Snippet(sdk, *each) for each in FENCE.findall(text)) for sdk, text in sections))
