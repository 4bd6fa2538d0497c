"""Hostile values of a branding: each is refused with the name of its member, or appears nowhere unescaped.

The same table is for handlers, mails and browsers. *value* is JSON.
"""

from dataclasses import dataclass
from typing import Any

MARK = "hostile"  # in each text that could appear somewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileValue:
    """A *value* of the *member* of PUT /v1/branding. A CSS variable is a member like `css_variables/--spacing`."""

    name: str
    member: str
    value: Any

    @property
    def body(self) -> dict[str, Any]:
        """The body of a request that sends this value alone."""
        outer, _, inner = self.member.partition("/")
        return {outer: {inner: self.value} if inner else self.value}


def _table(member: str, **values: Any) -> list[HostileValue]:  # noqa: ANN401 - JSON
    return [HostileValue(name=name.replace("_", " "), member=member, value=value) for name, value in values.items()]


COLORS = _table(
    "primary_color",
    color_that_ends_its_declaration="#123456;background:url(https://hostile.example/)",
    color_that_ends_the_style="#123456}</style><script>hostile()</script>",
    color_that_ends_the_attribute='#123456" onmouseover="hostile()',
    color_with_a_line_break="#123456\n",
    color_of_full_width_digits="#\uff11\uff12\uff13\uff14\uff15\uff16",
    color_of_arabic_digits="#\u0661\u0662\u0663\u0664\u0665\u0666",
    color_that_is_a_function="var(--hostile)",
    color_with_a_comment="#123456/*hostile*/",
    color_with_three_digits="#123",
    color_with_transparency="#12345680",
    color_that_is_a_number=123456,
    color_that_is_an_object={"hostile": "#123456"},
)
CSS = [
    *_table(
        "css_variables/--font-family",
        font_that_is_a_url="url(https://hostile.example/font.woff2)",
        font_with_a_quote='"Arial", sans-serif; } body { display: none',
        font_with_an_escape="Arial\\3b hostile",
        font_with_an_expression="expression(hostile())",
        font_that_ends_the_style="</style><img src=x onerror=hostile()>",
        font_that_nobody_knows="Hostile Sans",
        fonts_without_end=",".join(["Arial"] * 30),
        font_with_a_zero_width_space="Arial\u200b",
    ),
    *_table(
        "css_variables/--border-radius",
        length_that_computes="calc(1px * infinity)",
        length_without_end="9999999px",
        length_below_zero="-1px",
        length_of_another_unit="100vw",
        length_with_a_declaration="1px;position:fixed",
        length_that_is_important="1px !important",
        length_with_a_function="attr(hostile px)",
        length_in_exponents="1e9px",
        length_of_other_digits="\uff11px",
        length_with_a_line_break="1px\n",
    ),
    *_table("css_variables/--background-color", background_that_is_an_image="url('data:image/svg+xml,<svg/>')"),
    *_table("css_variables/--hostile", name_that_is_not_listed="1px"),
    *_table("css_variables/--spacing;}*{color", name_that_is_a_rule="1px"),
    *_table("css_variables", variables_as_text="--spacing:1px;hostile"),
]
URLS = _table(
    "logo_url",
    url_of_a_script="javascript:hostile()",
    url_with_its_data="data:image/png;base64,aG9zdGlsZQ==",
    url_without_tls="http://hostile.example/logo.png",
    url_of_a_file="file:///etc/hostile",
    url_with_a_password="https://user:hostile@acme.example/logo.png",
    url_of_the_own_host="https://localhost/hostile.png",
    url_of_an_address="https://169.254.169.254/latest/meta-data/hostile",
    url_of_an_address_as_a_number="https://2852039166/hostile.png",
    url_of_an_ipv6_address="https://[::1]/hostile.png",
    url_of_another_port="https://acme.example:6379/hostile",
    url_with_a_quote='https://acme.example/"onerror="hostile()',
    url_with_a_tag="https://acme.example/<script>hostile()</script>",
    url_with_a_line_break="https://acme.example/\r\nX-Hostile: 1",
    url_without_a_host="https:///hostile.png",
    url_that_is_relative="//hostile.example/logo.png",
)
NAMES = _table(
    "sender_name",
    name_that_adds_a_header="Acme\r\nBcc: hostile@globex.example",
    name_with_a_line_separator="Acme\u2028Bcc: hostile",
    name_with_an_address="Acme <hostile@globex.example>",
    name_that_is_an_address="hostile@globex.example",
    name_with_a_wide_at_sign="hostile\uff20globex.example",
    name_with_a_small_at_sign="hostile\ufe6bglobex.example",
    name_that_ends_its_quotes='Acme" <hostile@globex.example>, "',
    name_that_is_encoded="=?utf-8?q?hostile=40globex.example?=",
    name_that_turns_around="Acme \u202eelitsoh",
    name_with_an_isolate="Acme\u2066hostile\u2069",
    name_without_a_shape="\u200b\u2060",
    name_with_a_null="Acme\u0000hostile",
    name_with_tags="<img src=x onerror=hostile()>",
    name_with_an_escape="Acme\\hostile",
    name_without_end="hostile" * 100,
    # These are names. They appear escaped.
    name_that_ends_an_attribute="' onerror='hostile()",
    name_with_an_entity="&lt;script&gt;hostile&lt;/script&gt;",
    name_of_a_template="{text}{0.__class__}%(hostile)s${hostile}",
    name_with_commas_and_colons="hostile, Globex: group;",
)
ADDRESSES = _table(
    "sender_address",
    address_of_another_organization="hostile@globex.example",
    address_of_the_platform="hostile@tenancy.example",
    address_with_a_header="hostile@acme.example\r\nBcc: a@globex.example",
    address_with_a_name="Acme <hostile@acme.example>",
    two_addresses="hostile@acme.example, a@globex.example",
    address_with_quotes='"hostile\\"<a@globex.example>"@acme.example',
    address_of_an_address="hostile@[127.0.0.1]",
    address_with_a_comment="hostile(comment)@acme.example",
    address_of_look_alikes="hostile@\u0430cme.example",
    address_of_a_subdomain="hostile@mail.acme.example",
)
HOSTILE_BRANDING: tuple[HostileValue, ...] = (*COLORS, *CSS, *URLS, *NAMES, *ADDRESSES)
