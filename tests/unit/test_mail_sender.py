"""The header From: one address, and a name that cannot end."""

from email import policy
from email.header import decode_header, make_header
from email.parser import Parser

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tenancy.rules.branding.sender import parse_sender_name
from tenancy.stores.aws.mail import format_sender

ADDRESS = "hello@acme.example"
TEXTS = st.one_of(st.text(max_size=80), st.text(st.sampled_from("aé,;:.()[]<>@\"'\\=?_ -&"), max_size=64))
ENCODED_WORD_MAX_CHARACTERS = 75  # RFC 2047, 2


def parsed(name: str) -> str | None:
    try:
        return parse_sender_name(name)
    except ValueError:
        return None


@given(text=TEXTS)
@example(text="O'Acme, Inc. (Group): a;")
@example(text="株" * 64)
@example(text="=_?é")
def test_header_has_the_name_and_one_address(text: str) -> None:
    name = parsed(text)
    assume(name is not None)

    header = format_sender(name, ADDRESS)

    [address] = Parser(policy=policy.default).parsestr(f"From: {header}\r\n\r\n")["From"].addresses
    phrase = header.removesuffix(f" <{ADDRESS}>")
    assert header.isascii()
    assert header.isprintable()
    assert address.addr_spec == ADDRESS
    assert str(make_header(decode_header(phrase))) == name
    assert all(len(word) <= ENCODED_WORD_MAX_CHARACTERS for word in phrase.split(" "))


def test_address_without_a_name_stands_alone() -> None:
    assert format_sender(None, ADDRESS) == ADDRESS


def test_plain_name_is_readable() -> None:
    assert format_sender("Acme Analytics", ADDRESS) == "Acme Analytics <hello@acme.example>"


@pytest.mark.parametrize("at", ["@", "\uff20", "\ufe6b"])
def test_name_with_an_address_is_refused(at: str) -> None:
    """Letters of full width and of small form look alike."""
    with pytest.raises(ValueError, match="could show it as another address"):
        parse_sender_name(f"hello{at}globex.example")
