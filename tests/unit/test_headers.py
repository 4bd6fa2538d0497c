"""The headers of a usual request are read in a short form, and all others are merged value by value."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tenancy.gateway import headers
from tenancy.gateway.headers import parse_header_values

NAMES = st.sampled_from(["Host", "host", "HOST", "Authorization", "authorization", "X-Organization-ID", "İ", "", "x"])
TEXTS = st.sampled_from(["", "a", "b", "a,b", "é"])
ODD: st.SearchStrategy[Any] = st.none() | st.integers(0, 1) | st.booleans() | st.just({})
ONE = st.dictionaries(NAMES, TEXTS | ODD | st.lists(TEXTS, max_size=2), max_size=4)
MANY = st.dictionaries(NAMES | st.integers(0, 1), st.lists(TEXTS | ODD, max_size=3) | TEXTS | ODD, max_size=4)


def usual(one: dict[str, str]) -> dict[str, Any]:
    """Return both forms of *one*, as API Gateway sends them."""
    return {"headers": one, "multiValueHeaders": {name: [value] for name, value in one.items()}}


@given(
    st.dictionaries(NAMES, TEXTS, max_size=6).map(usual)
    | st.fixed_dictionaries({}, optional={"headers": ONE | ODD, "multiValueHeaders": MANY | ODD})
)
@example(usual({"Host": "a", "HOST": "b"}))
@example({"headers": {"Host": 1}, "multiValueHeaders": {"Host": [True]}})
@example({"headers": {"Host": "a"}, "multiValueHeaders": {"Host": ["b", "a"]}})
def test_short_form_has_the_values_of_the_long_one(event: dict[str, Any]) -> None:
    assert parse_header_values(event) == headers._merge(event)


def test_usual_request_takes_the_short_form() -> None:
    event = usual({"Host": "a.example", "Authorization": "Bearer x", "X-Organization-ID": ""})

    found = headers._find_usual(event)

    assert found == {"host": ("a.example",), "authorization": ("Bearer x",), "x-organization-id": ("",)}
