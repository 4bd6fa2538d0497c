"""A folded test runs for every member, and names those that fail."""

import re

import pytest

from tests.members import for_each


def test_each_failing_member_is_named() -> None:
    @for_each("number", range(1, 8))
    def is_odd(number: int) -> None:
        assert number % 2

    with pytest.raises(AssertionError, match=r"(?s)3 of 7 members fail.*\b2\b.*\b4\b.*\b6\b") as failure:
        is_odd()

    assert isinstance(failure.value.__cause__, AssertionError)


def test_two_decorators_give_each_combination() -> None:
    seen = []

    @for_each("letter", "ab")
    @for_each(("number", "word"), [(1, "one"), (2, "two")], ids=str)
    def collect(letter: str, number: int, word: str) -> None:
        seen.append((letter, number, word))

    collect()

    assert sorted(seen) == [("a", 1, "one"), ("a", 2, "two"), ("b", 1, "one"), ("b", 2, "two")]


def test_function_gives_the_members_when_the_test_runs() -> None:
    words: list[str] = []

    @for_each("word", lambda: words)
    def is_short(word: str) -> None:
        assert len(word) < 5

    words += ["short"]

    with pytest.raises(AssertionError, match="1 of 1 members fail"):
        is_short()


def test_missing_exception_of_a_member_is_a_failure() -> None:
    @for_each("text", ["1", "x"])
    def is_refused(text: str) -> None:
        with pytest.raises(ValueError, match="invalid"):
            int(text)

    with pytest.raises(AssertionError, match=re.escape("1 of 2 members fail.\n('1',)")):
        is_refused()


def test_set_without_members_fails() -> None:
    @for_each("name", [])
    def passes(name: str) -> None:
        assert name

    with pytest.raises(AssertionError, match="no member"):
        passes()
