"""XML of a provider, parsed within bounds.

An answer needs no document type, entity, comment, CDATA section or processing instruction. Each of them has been used
to make two readers of one document see two texts, so a document with any of them is refused. Metadata may have
comments. They are removed, and no signature of metadata is read.
"""

from typing import Final

from lxml import etree

MARKUP_DECLARATION: Final = "<!"  # a document type, an entity, a comment or a CDATA section
COMMENT: Final = "<!--"
PROCESSING_INSTRUCTION: Final = "<?"
XML_DECLARATION: Final = "<?xml "
MAX_ELEMENTS: Final = 2_000
ID_ATTRIBUTE: Final = "ID"
ID_NAMES: Final = frozenset({"id", "{http://www.w3.org/xml/1998/namespace}id"})  # compared in lower case

PROTOCOL: Final = "{urn:oasis:names:tc:SAML:2.0:protocol}"
ASSERTION: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}"
METADATA: Final = "{urn:oasis:names:tc:SAML:2.0:metadata}"
SIGNATURE: Final = "{http://www.w3.org/2000/09/xmldsig#}"


class XmlError(ValueError):
    """A document that cannot be used. The text is for the administrator who sent it."""


def parse_xml(document: bytes, *, may_have_comments: bool = False) -> etree._Element:
    """Return the root of *document*, which is UTF-8, without comments. The caller bounds its size.

    Raises:
        XmlError: it is no XML, has a part that none needs, too many elements, or the same ID twice.
    """
    text = _decode(document)
    if MARKUP_DECLARATION in (text.replace(COMMENT, "") if may_have_comments else text):
        raise XmlError("The document has a document type, an entity, a comment or a CDATA section.")
    if PROCESSING_INSTRUCTION in text.removeprefix(XML_DECLARATION):
        raise XmlError("The document has a processing instruction.")
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise XmlError("The document is no well-formed XML.") from error
    _require_bounds(root)
    return root


def find_child(element: etree._Element, tag: str) -> etree._Element | None:
    """Return the only child with that *tag*, or None.

    Raises:
        XmlError: there are several.
    """
    found = element.findall(tag)
    if len(found) > 1:
        raise XmlError(f"{_name(element.tag)} has more than one {_name(tag)}.")
    return found[0] if found else None


def get_child(element: etree._Element, tag: str) -> etree._Element:
    """Return the only child with that *tag*.

    Raises:
        XmlError: there is none, or there are several.
    """
    found = find_child(element, tag)
    if found is None:
        raise XmlError(f"{_name(element.tag)} has no {_name(tag)}.")
    return found


def text_of(element: etree._Element) -> str:
    """Return the text of an element, without white space around it.

    Raises:
        XmlError: it has elements inside.
    """
    if len(element):
        raise XmlError(f"{_name(element.tag)} has elements in place of a text.")
    return (element.text or "").strip()


def _decode(document: bytes) -> str:
    try:
        text = document.decode("utf-8-sig").lstrip()
    except UnicodeDecodeError as error:
        raise XmlError("The document is not UTF-8.") from error
    if "\0" in text:
        raise XmlError("The document is not UTF-8.")
    return text


def _require_bounds(root: etree._Element) -> None:
    """Refuse a document with too many elements, or with the same ID twice, under any name of such an attribute."""
    seen: set[str] = set()
    for number, element in enumerate(root.iter(), start=1):
        if number > MAX_ELEMENTS:
            raise XmlError(f"The document has more than {MAX_ELEMENTS:,} elements.")
        for name, value in element.items():
            if name.lower() not in ID_NAMES:
                continue
            if value in seen:
                raise XmlError("Two elements of the document have the same ID.")
            seen.add(str(value))


def _name(tag: str) -> str:
    return etree.QName(tag).localname
