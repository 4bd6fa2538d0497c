"""The HTML part of a mail: each value is a text in it, never an element."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.mail_layout import render_html

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


@given(title=HOSTILE, text=HOSTILE, color=HOSTILE, url=HOSTILE, name=HOSTILE, fonts=HOSTILE)
def test_values_add_no_element_and_no_attribute(
    *, title: str, text: str, color: str, url: str, name: str, fonts: str
) -> None:
    page = Page(render_html(title=title, text=text, color=color, logo_url=url, name=name, fonts=fonts))

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
