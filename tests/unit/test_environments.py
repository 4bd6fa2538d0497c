"""Lambda's environments: reused while warm, started at AWS's rate, refused at the quota."""

from simpy import Environment

from scripts.capacity.environments import EnvironmentRules, Environments

RULES = EnvironmentRules(limit=10, new_per_10_seconds=4, calls_per_second=10)


def take_all(environments: Environments, calls: int) -> list[bool | None]:
    return [environments.take() for _ in range(calls)]


def test_free_environment_is_warm() -> None:
    environments = Environments(Environment(), RULES, warm=2)

    assert take_all(environments, 2) == [False, False]


def test_environment_is_used_again() -> None:
    environments = Environments(Environment(), RULES, warm=1)

    for _ in range(5):
        assert environments.take() is False
        environments.give_back()

    assert environments.existing == 1


def test_new_environments_start_cold_at_a_bounded_rate() -> None:
    env = Environment()
    environments = Environments(env, RULES, warm=1)

    at_once = take_all(environments, 8)
    env.run(until=5.0)
    later = take_all(environments, 3)

    assert at_once == [False, True, True, True, True, None, None, None]
    assert later == [True, True, None]


def test_calls_past_the_quota_are_refused() -> None:
    environments = Environments(Environment(), RULES, warm=10)

    assert take_all(environments, 11)[-1] is None


def test_environment_takes_ten_calls_a_second() -> None:
    env = Environment()
    rules = EnvironmentRules(limit=1, new_per_10_seconds=4, calls_per_second=10)
    environments = Environments(env, rules, warm=1)
    taken = []

    for _ in range(15):
        is_cold = environments.take()
        taken.append(is_cold)
        if is_cold is not None:
            environments.give_back()

    assert taken.count(False) == 10
    assert taken.count(None) == 5
