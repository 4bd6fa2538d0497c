"""A call of AWS that fails, or whose answer is lost: the next try goes on, and makes nothing twice."""

from itertools import count

import pytest

from tenancy.use_cases.organizations.provision import Provisioned
from tests.handlers.custom_domains.life import Life

NOTHING = (0, 0, 0, 0)
ONE_OF_EACH = (1, 1, 1, 1)
LOST = pytest.mark.parametrize("is_lost", [False, True], ids=["refused", "lost"])


def fail_call(life: Life, number: int, *, is_lost: bool) -> int:
    """Let the call with that number from now on fail, and return the number of calls until it."""
    failing = len(life.aws.calls) + number
    (life.aws.lost if is_lost else life.aws.failing).add(failing)
    return failing


@LOST
def test_each_failed_call_of_a_set_up_is_made_again(life: Life, acme: Provisioned, is_lost: bool) -> None:  # noqa: FBT001
    for number in count(1):
        domain = f"a{number}.acme.example"
        life.set_records(life.claim(acme, domain))
        life.call("verify", acme, domain)
        failing = fail_call(life, number, is_lost=is_lost)

        entered = life.run(deaths=1)

        assert entered[-1] == "Active"
        assert life.aws.resources == ONE_OF_EACH
        assert life.owner(domain) == acme.organization.id
        if len(life.aws.calls) < failing:
            break
        life.aws.failing.clear()
        life.aws.lost.clear()
        life.call("remove", acme, domain)
        life.run()
    assert number > 6


@LOST
def test_each_failed_call_of_a_removal_is_made_again(life: Life, acme: Provisioned, is_lost: bool) -> None:  # noqa: FBT001
    for number in count(1):
        domain = f"a{number}.acme.example"
        life.serve(acme, domain)
        life.call("remove", acme, domain)
        failing = fail_call(life, number, is_lost=is_lost)

        entered = life.run(deaths=1)

        assert entered[-1] == "Released"
        assert life.aws.resources == NOTHING
        assert life.call("show", acme, domain).status == 404
        if len(life.aws.calls) < failing:
            break
    assert number > 6


def test_removal_waits_for_a_running_set_up(life: Life, acme: Provisioned) -> None:
    """The set-up has the lease: it dies after API Gateway made the domain name, and before it is stored."""
    life.set_records(life.claim(acme))
    life.call("verify", acme)
    fail_call(life, 4, is_lost=False)
    with pytest.raises(Exception, match="UnavailableError"):
        life.run()
    life.call("remove", acme)

    life.run()

    assert life.aws.resources == NOTHING
    assert life.call("show", acme).status == 404
