"""The credential of a request: exactly one, and well-formed."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import CredentialFault, UnauthenticatedError
from tenancy.rules.credentials import MAX_CREDENTIAL_CHARACTERS, Jwt, find_basic_key, is_jwt, parse_authorization
from tenancy.rules.keys.api_keys import ApiKey, KeyType, generate_key
from tests.members import for_each

WRITE, SECRET, PLATFORM = (generate_key(key_type) for key_type in (KeyType.WRITE, KeyType.SECRET, KeyType.PLATFORM))
HEAD = base64.urlsafe_b64encode(b'{"alg":"ES256","kid":"k"}').decode().rstrip("=")
LONGEST = f"{HEAD}.b.".ljust(8192, "c")


def basic(user_name: str) -> str:
    return base64.b64encode(user_name.encode()).decode()


@pytest.mark.parametrize(
    ("header", "credential"),
    [
        (f"Bearer {WRITE.text}", WRITE),
        (f"Bearer {SECRET.text}", SECRET),
        (f"Bearer {PLATFORM.text}", PLATFORM),
        (f"bearer {SECRET.text}", SECRET),
        (f"BEARER   {SECRET.text}  ", SECRET),
        (f"Basic {basic(WRITE.text + ':')}", WRITE),
        (f"Basic {basic(WRITE.text)}", WRITE),
        (f"Basic {basic(WRITE.text + ':anything')}", WRITE),
        (f"basic {basic(WRITE.text + ':')}", WRITE),
        (f"Bearer {HEAD}.b.c", Jwt(f"{HEAD}.b.c")),
        (f"Bearer {LONGEST}", Jwt(LONGEST)),
    ],
    ids=range(11),
)
def test_credential_is_found_by_its_scheme(header: str, credential: ApiKey | Jwt) -> None:
    assert parse_authorization((header,)) == credential


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ((), CredentialFault.NONE),
        (("",), CredentialFault.NONE),
        (("Bearer a", "Bearer b"), CredentialFault.SEVERAL),
        ((WRITE.text,), CredentialFault.SCHEME),
        (("Digest username=x",), CredentialFault.SCHEME),
        ((f"Basic {basic(SECRET.text)}",), CredentialFault.OTHER_KIND),
        (("Basic ====",), CredentialFault.MALFORMED),
        ((f"Basic {basic('x')}",), CredentialFault.MALFORMED),
        (("Bearer",), CredentialFault.MALFORMED),
        (("Bearer a.b.c",), CredentialFault.MALFORMED),
        ((f"Bearer {WRITE.text[:-1]}",), CredentialFault.MALFORMED),
        ((f"Bearer {'x' * 9000}",), CredentialFault.MALFORMED),
    ],
    ids=range(12),
)
def test_refused_credential_has_its_class(values: tuple[str, ...], fault: CredentialFault) -> None:
    with pytest.raises(UnauthenticatedError) as refusal:
        parse_authorization(values)

    assert refusal.value.fault is fault


MALFORMED = [
    "",
    " ",
    WRITE.text,
    f"Token {WRITE.text}",
    f" Bearer {WRITE.text}",
    f"Bearer\t{WRITE.text}",
    f"Bearer {WRITE.text[:-1]}",
    f"Bearer {WRITE.text[:-1]}é",
    f"Bearer wk_{SECRET.text[3:]}",
    f"Bearer {WRITE.text} {WRITE.text}",
    "Bearer pk_",
    "Bearer sk_' OR 1=1 --",
    "Basic",
    "Basic ====",
    "Basic not base64",
    "Basic é",
    f"Basic {WRITE.text}",
    f"Basic {basic('')}",
    f"Basic {basic(':' + WRITE.text)}",
    f"Basic {basic(WRITE.text + chr(10) + ':')}",
    f"Basic {basic(SECRET.text + ':')}",
    f"Basic {basic(PLATFORM.text + ':')}",
    f"Basic {base64.b64encode(bytes([0xFF, 0xFE])).decode()}",
    f"Digest username={WRITE.text}",
    f"Bearer {WRITE.text},Bearer {WRITE.text}",
    f"Bearer {WRITE.text}, Bearer {SECRET.text}",
    f"Basic {basic(WRITE.text + ':')}, Bearer {SECRET.text}",
    f"Basic {basic(WRITE.text + ':')},{basic(WRITE.text + ':')}",
    f"Bearer {HEAD}.b.c, Bearer {HEAD}.b.c",
    f"Bearer {HEAD}.b.c,{HEAD}.b.c",
    f"Bearer {HEAD}.b.c {HEAD}.b.c",
    "Bearer",
    "Bearer x",
    "Bearer ..",
    "Bearer a.b",
    f"Bearer {HEAD}.b.",
    "Bearer .b.c",
    f"Bearer {HEAD}.b.c.d",
    f"Bearer {HEAD}.b.c.d.e",
    f"Bearer {HEAD}.b.c=",
    f"Bearer {HEAD}.b+.c",
    f"Bearer {HEAD}.b/.c",
    "Bearer a.b.\u00e9",
    "Bearer a.b\n.c",
    "Bearer a.\uff42.c",
    "Bearer '; DROP TABLE users; --",
    "Bearer null",
    "Bearer {}",
    "Bearer " + "a." * 2 + "a" * 8189,
    "Bearer " + "A" * (MAX_CREDENTIAL_CHARACTERS + 1),
    f"Basic {basic(WRITE.text + ':' + 'x' * MAX_CREDENTIAL_CHARACTERS)}",
]


@for_each("header", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_authorization_is_unauthenticated(header: str) -> None:
    with pytest.raises(UnauthenticatedError):
        parse_authorization((header,))


@pytest.mark.parametrize("count", [0, 2, 3])
def test_number_of_headers_must_be_one(count: int) -> None:
    for header in (f"Bearer {WRITE.text}", f"Bearer {HEAD}.b.c"):
        with pytest.raises(UnauthenticatedError):
            parse_authorization((header,) * count)


@given(st.text())
def test_each_authorization_is_a_credential_or_unauthenticated(text: str) -> None:
    for header in (text, f"Basic {text}", f"Bearer {text}", f"Bearer wk_{text}"):
        try:
            credential = parse_authorization((header,))
        except UnauthenticatedError:
            continue
        assert isinstance(credential, Jwt)
        assert is_jwt(credential.text)


def test_user_name_must_be_a_key() -> None:
    assert find_basic_key(basic(f"{WRITE.text}:")) == WRITE
    assert find_basic_key(basic("acme:secret")) is None


def test_repr_hides_the_token() -> None:
    assert "secret" not in repr(Jwt("secret.secret.secret"))
