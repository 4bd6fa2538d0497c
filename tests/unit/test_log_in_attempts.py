"""Attempts to log in are counted for an account and a network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.people.log_in_attempts import LOG_IN_DELAYS, MAX_FAILED_LOG_INS, attempts_field, network_of
from tenancy.rules.people.password_hashes import DUMMY_HASH, HASHER, is_password_of

EMAIL = "admin@acme.example"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_network_of_an_address(address: str, network: str) -> None:
    assert network_of(address) == network


@given(st.integers(0, 2**64 - 1))
def test_addresses_of_one_network_are_counted_together(host: int) -> None:
    address = f"2001:db8::{host >> 48:x}:{host >> 32 & 0xFFFF:x}:{host >> 16 & 0xFFFF:x}:{host & 0xFFFF:x}"

    assert attempts_field(EMAIL, address) == attempts_field(EMAIL, "2001:db8::1")


def test_field_hides_both_addresses() -> None:
    field = attempts_field(EMAIL, "203.0.113.7")

    assert EMAIL not in field
    assert "203.0.113.7" not in field
    assert len(field) == 64


def test_accounts_and_networks_do_not_run_together() -> None:
    fields = {attempts_field(*pair) for pair in (("a", "b"), ("ab", ""), ("", "ab"), ("b", "a"), ('a", "b', ""))}

    assert len(fields) == 5


def test_each_attempt_has_a_delay() -> None:
    assert len(LOG_IN_DELAYS) == MAX_FAILED_LOG_INS


def test_dummy_hash_has_the_current_parameters() -> None:
    assert not HASHER.check_needs_rehash(DUMMY_HASH)


def test_no_stored_hash_is_no_password() -> None:
    assert not is_password_of(None, "correct horse battery staple")


def test_malformed_hash_is_no_password() -> None:
    assert not is_password_of("$argon2id$broken", "correct horse battery staple")
