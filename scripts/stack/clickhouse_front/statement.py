"""The part of ClickHouse's grammar that its HTTP interface needs.

It finds the start of an INSERT's rows, and the format of an answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from scripts.stack.clickhouse_front.protocol import Code, QueryError

# Their answers have a format even when they are empty.
READING = frozenset(b"SELECT WITH FROM SHOW DESCRIBE DESC EXPLAIN EXISTS CHECK (".split())
TOKEN = re.compile(
    rb"""(?P<blank>\s++ | --[^\n]*+ | \#[ !][^\n]*+ | /\*.*?\*/)
       | (?P<quoted>'(?:[^'\\]|\\.|'')*+' | "(?:[^"\\]|\\.|"")*+" | `(?:[^`\\]|\\.|``)*+`)
       | (?P<heredoc>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
       | (?P<word>[\w\x80-\xff]++)
       | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
BEFORE_ROWS = re.compile(rb"[ \t\f]*(?:\r?\n)?")


class Token(NamedTuple):
    """A word in upper case, or a mark.

    A quoted text has an empty word. A bracket has the depth of the text around the pair.
    """

    word: bytes
    depth: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """An INSERT that rows follow: the text before FORMAT or VALUES, and the start of the rows."""

    sql: bytes
    input_format: str
    rows_at: int


def find_insert(text: bytes) -> Insert | None:
    """Return the INSERT whose rows begin in *text*, or None for any other statement.

    Raises:
        QueryError: it wants its rows from a file of the server or through input(), or has a semicolon before them.
    """
    tokens = _tokens(text)
    previous = next(tokens, None)
    if previous is None or previous.word != b"INSERT":
        return None
    named = selects = False
    for token in tokens:
        pair = (previous.word, token.word)
        if (selects and pair == (b"INPUT", b"(")) or (token.depth == 0 and pair == (b"FROM", b"INFILE")):
            raise QueryError.of_front(Code.NOT_IMPLEMENTED, "The embedded stack has no INFILE and no input()")
        if token.depth == 0 and not named:
            named = token.word not in (b"INTO", b"TABLE", b"FUNCTION")
        elif token.depth == 0 and not selects and previous.word != b".":
            selects = token.word in (b"SELECT", b"WITH")
            if token.word == b"VALUES":
                return Insert(sql=text[: token.start], input_format="Values", rows_at=token.end)
            if token.word == b"FORMAT" and (name := next(tokens, None)):
                return _insert_in_format(text, token, name)
        previous = token
    return None


def find_output_format(sql: bytes, default: str) -> str | None:
    """Return the format in which *sql* will be answered, None if it has no result.

    Raises:
        QueryError: there is no statement, or a second one, or it writes a file.
    """
    outer = [token for token in _tokens(sql) if token.depth == 0]
    words = [token.word for token in outer]
    while words and words[-1] == b";":
        words.pop()
    if not words:
        raise QueryError.of_front(Code.SYNTAX_ERROR, "Syntax error: Empty query")
    if b";" in words:
        raise QueryError.of_front(Code.SYNTAX_ERROR, "Syntax error: Multi-statements are not allowed")
    if (b"INTO", b"OUTFILE") in pairwise(words):
        raise QueryError.of_front(Code.INTO_OUTFILE_NOT_ALLOWED, "INTO OUTFILE is not allowed")
    for at in range(len(words) - 1):
        if words[at] == b"FORMAT" and words[at + 2 : at + 3] in ([], [b"SETTINGS"]):
            return sql[outer[at + 1].start : outer[at + 1].end].decode("ascii", "replace")
    return default if words[0] in READING else None


def _tokens(text: bytes) -> Iterator[Token]:
    depth = 0
    for found in TOKEN.finditer(text):
        if found["blank"] is not None:
            continue
        word = (found["word"] or found["mark"] or b"").upper()
        if word in (b")", b"]", b"}"):
            depth -= 1
        yield Token(word, depth, found.start(), found.end())
        if word in (b"(", b"[", b"{"):
            depth += 1


def _insert_in_format(text: bytes, keyword: Token, name: Token) -> Insert:
    if text[name.end : name.end + 1] == b";":
        raise QueryError.of_front(Code.SYNTAX_ERROR, "You have excessive ';' symbol before data for INSERT")
    rows = BEFORE_ROWS.match(text, name.end)
    return Insert(
        sql=text[: keyword.start],
        input_format=text[name.start : name.end].decode("ascii", "replace"),
        rows_at=rows.end() if rows else name.end,
    )
