"""The Base64 of a frame is read as the standard library does."""

import base64

from hypothesis import example, given
from hypothesis import strategies as st

from tenancy.rules.events.frames import Frame

ODD = st.text(st.sampled_from("ABab01+/=\n -_é\0\ud800"), max_size=12)


@given(ODD | st.text(max_size=8) | st.binary(max_size=40).map(lambda sent: base64.b64encode(sent).decode()))
@example("YQ")
@example("YQ==\n")
@example("YR==")
def test_text_is_decoded_as_by_the_standard_library(text: str) -> None:
    try:
        expected = base64.b64decode(text, validate=True)
    except ValueError:
        expected = None

    try:
        decoded = Frame(text, 0).bytes
    except ValueError:
        decoded = None

    assert decoded == expected
