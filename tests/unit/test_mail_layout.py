"""The HTML part of a mail: each value is a text in it, never an element."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.mail_layout import render_html

CONSOLE = "https://api.acme.example/v1/console/"
ELEMENTS = ["html", "head", "meta", "meta", "title", "body", "div", "p", "img", "div"]
ATTRIBUTES = {"lang", "charset", "name", "content", "style", "src", "alt"}
HOSTILE = st.one_of(st.text(max_size=40), st.text(st.sampled_from("<>&\"'{}/=script;:\0 \n"), max_size=40))


class Page(HTMLParser):
    """The elements, comments and texts of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.comments: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def links_of(text: str, console_url: str | None = CONSOLE) -> list[str | None]:
    page = Page(render_html(title="Title", text=text, color="#123456", console_url=console_url))
    return [value for name, value in page.attributes if name == "href"]


@given(title=HOSTILE, text=HOSTILE, color=HOSTILE, url=HOSTILE, name=HOSTILE, fonts=HOSTILE)
def test_values_add_no_element_and_no_attribute(
    *, title: str, text: str, color: str, url: str, name: str, fonts: str
) -> None:
    page = Page(
        render_html(title=title, text=text, color=color, console_url=CONSOLE, logo_url=url, name=name, fonts=fonts)
    )

    assert page.elements == ELEMENTS
    assert page.comments == []
    assert {attribute for attribute, _ in page.attributes} == {
        "lang",
        "charset",
        "name",
        "content",
        "style",
        "src",
        "alt",
    }


def test_text_keeps_its_lines() -> None:
    html = render_html(title="Title", text="a < b\n\n  c & d", color="#123456")

    assert '<div style="font:16px/1.5 system-ui, sans-serif;white-space:pre-wrap;overflow-wrap:anywhere">' in html
    assert ">a &lt; b\n\n  c &amp; d</div>" in html
    assert "<img" not in html


@pytest.mark.parametrize(
    "page", ["?organization=acme", "reset?organization=acme-1", "accept?organization=acme#token=ot_0aZ"]
)
def test_address_of_the_console_is_a_link(page: str) -> None:
    assert links_of(f"Sign in:\n\n{CONSOLE}{page}\n\nBye") == [f"{CONSOLE}{page}"]


@pytest.mark.parametrize(
    "line",
    [
        f"You are invited to {CONSOLE}?organization=globex",
        f"{CONSOLE}?organization=globex as a member",
        f'{CONSOLE}?organization=globex"onclick="',
        f"{CONSOLE}../auth/sso/start?organization=globex",
        f"{CONSOLE}?organization=globex&next=https://globex.example",
        "https://api.acme.example.globex.example/v1/console/?organization=acme",
        "https://globex.example/?organization=acme",
        "javascript:alert(1)",
    ],
)
def test_no_other_text_is_a_link(line: str) -> None:
    assert links_of(line) == []


def test_no_link_without_the_address_of_the_api() -> None:
    assert links_of(f"{CONSOLE}?organization=acme", None) == []


@given(text=HOSTILE)
def test_hostile_address_adds_at_most_one_link(text: str) -> None:
    links = links_of(f"{CONSOLE}{text}")

    assert links in ([], [f"{CONSOLE}{text}"], [f"{CONSOLE}{text.partition(chr(10))[0]}"])
