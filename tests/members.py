"""One test for all members of a large set.

A test for each of thousands of members would cost more time in pytest and xdist than in its assertions.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any, Final

import pytest

MAX_SHOWN_FAILURES: Final = 20
MAX_NAME_CHARACTERS: Final = 100

type Case = tuple[str, dict[str, Any]]
type Members = Iterable[Any] | Callable[[], Iterable[Any]]
type Test = Callable[..., None]


def for_each(
    names: str | Sequence[str], members: Members, *, ids: Callable[[Any], object] | Iterable[object] | None = None
) -> Callable[[Test], Test]:
    """Run a test without fixtures for each of *members*, and name all that fail.

    The parameters are those of `pytest.mark.parametrize`. Two decorators give the test each combination. A function
    that returns the members is called when the test runs: each worker of a run imports each module.
    """
    keywords = (names,) if isinstance(names, str) else tuple(names)

    def cases() -> list[Case]:
        found = members if isinstance(members, Iterable) else members()
        listed = [member if len(keywords) > 1 else (member,) for member in found]
        named = [tuple(map(ids, values)) for values in listed] if callable(ids) else ids or listed
        return [
            (ascii(name)[:MAX_NAME_CHARACTERS], dict(zip(keywords, values, strict=True)))
            for name, values in zip(named, listed, strict=True)
        ]

    def fold(test: Test) -> Test:
        inner, others = getattr(test, "folded", (test, _no_other_members))

        def combined() -> list[Case]:
            return [
                (f"{one} {other}".strip(), one_s | other_s)
                for (one, one_s), (other, other_s) in product(cases(), others())
            ]

        def run() -> None:
            _run(inner, combined())

        run.__name__, run.__qualname__, run.__module__ = inner.__name__, inner.__qualname__, inner.__module__
        run.__doc__ = inner.__doc__
        run.folded = (inner, combined)  # type: ignore[attr-defined]  # for the next decorator
        return run

    return fold


def _no_other_members() -> list[Case]:
    return [("", {})]


def _run(test: Test, cases: Sequence[Case]) -> None:
    failures: list[tuple[str, BaseException]] = []
    for name, values in cases:
        try:
            test(**values)
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - any error of a member is its failure
            failures.append((name, error))
    assert cases, "There is no member to test."
    if failures:
        shown = "\n".join(f"{name}: {error!r}" for name, error in failures[:MAX_SHOWN_FAILURES])
        raise AssertionError(f"{len(failures)} of {len(cases)} members fail.\n{shown}") from failures[0][1]
