"""An event counts once for one app, also if it is held, released and sent again in any order."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from redis import Redis as Client

from tenancy.rules.durations import LONGEST_DELIVERY_TIME
from tenancy.rules.statistics import NO_APP, Statistics
from tenancy.rules.tiers import Tier
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import usage_key
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.given import Databases, provision
from tests.use_cases.event_history import LONGEST_IN_QUEUES, REVENUE, Clock, History

START = datetime(2026, 7, 3, 12, 0, tzinfo=UTC)
WAITS = [timedelta(minutes=10), timedelta(hours=2), timedelta(hours=25), timedelta(days=4), timedelta(days=29)]
# A request has the events of several clocks: steps take time, events do not.
EVENTS = st.lists(st.sampled_from(Clock), min_size=1, max_size=len(Clock), unique=True)
FIRST_APP, SECOND_APP = UUID(int=1), UUID(int=2)
APPS = st.sampled_from([None, FIRST_APP, SECOND_APP])  # a key without an app, and keys of two apps
EXAMPLES, STEPS = 5, 12
ONE_STORED = (1, REVENUE)

type MakeHistory = Callable[[], History]


@pytest.fixture
def make_history(databases: Databases, counters: Redis, targets: OutboxTargets) -> MakeHistory:
    """Return a function that starts the history of a new organization after the end of the last one."""
    made: list[History] = []

    def make() -> History:
        start = made[-1].now + timedelta(days=1) if made else START
        owner = provision(databases, targets, f"acme-{len(made)}", Tier.STARTER)
        made.append(History(databases, counters, targets, owner, start=start))
        return made[-1]

    return make


def check_result(history: History) -> None:
    """Check that each event of the model is stored, billed and counted at most once, and no other."""
    history.settle()

    stored = history.stored()
    assert stored == dict.fromkeys(history.model.stored, ONE_STORED)
    assert history.billed() == {month: len(clocks) for month, clocks in history.model.billed.items()}
    assert sum(history.billed().values()) <= len(stored)
    with Client.from_url(history.databases.servers.valkey_url) as client:
        counted = client.hget(usage_key(history.organization_id, history.now), "events")
    assert counted is None or int(counted) == history.billed().get(history.now.date().replace(day=1), 0)


def check_apps(history: History) -> list[Statistics]:
    """Check the events and the revenue of each app, and that they are the organization's together."""
    by_app, total = history.counted("app_id"), history.counted()

    assert {group.app_id: group.events for group in by_app} == history.model.by_app()
    assert all(group.revenue == {"EUR": group.events * Decimal(REVENUE)} for group in [*by_app, *total])
    assert sum(group.events for group in by_app) == sum(group.events for group in total)
    return by_app


def check_filter(history: History) -> None:
    """Check the apps, and that a filter selects the group of each."""
    for group in check_apps(history):
        assert history.counted("app_id", app_id=group.app_id or NO_APP) == [group]


def test_held_event_that_is_accepted_later_counts_once(make_history: MakeHistory) -> None:
    history = make_history()
    for wait in (timedelta(), timedelta(days=3)):
        history.wait(wait)
        history.send(Clock.AHEAD_3_DAYS)
        history.load_one(0)

    check_result(history)

    assert history.stored() == {Clock.AHEAD_3_DAYS: ONE_STORED}
    assert sum(history.billed().values()) == 1


def test_event_ahead_is_not_released_before_its_time(make_history: MakeHistory) -> None:
    history = make_history()
    history.send(Clock.AHEAD_40_DAYS)
    history.load_one(0)

    history.release_as_operator()

    assert history.stored() == {}
    history.wait(timedelta(days=41))
    check_result(history)
    assert history.stored() == {Clock.AHEAD_40_DAYS: ONE_STORED}
    assert sum(history.billed().values()) == 1


@pytest.mark.parametrize("clock", [Clock.RESET, Clock.UNREADABLE])
def test_released_event_without_a_time_stays_one_event(make_history: MakeHistory, clock: Clock) -> None:
    history = make_history()
    for _ in range(3):
        history.send(clock)
        history.wait(timedelta(hours=1))
        history.load_one(0)
        history.release_as_operator()

    check_result(history)

    assert history.stored() == {clock: ONE_STORED}
    assert sum(history.billed().values()) == 1


def test_late_copy_of_a_released_event_is_the_same_event(make_history: MakeHistory) -> None:
    history = make_history()
    for _ in range(2):
        history.send(Clock.RESET)
        history.wait(timedelta(hours=1))
    for place in (1, 0):
        history.load_one(place)
        history.release_as_operator()

    check_result(history)

    assert history.stored() == {Clock.RESET: ONE_STORED}
    assert sum(history.billed().values()) == 1


def test_event_that_becomes_too_old_between_two_copies_counts_once(make_history: MakeHistory) -> None:
    history = make_history()
    history.change_tier(Tier.ENTERPRISE)
    for _ in range(2):
        history.send(Clock.BEHIND_729_DAYS)
        history.load_one(0)
        history.wait(timedelta(days=1, hours=1))
        history.release_as_operator()

    check_result(history)

    assert history.stored() == {Clock.BEHIND_729_DAYS: ONE_STORED}
    assert sum(history.billed().values()) == 1


@pytest.mark.parametrize("tier", [Tier.STARTER, Tier.ENTERPRISE])
def test_credible_copy_that_loads_after_a_release_counts_once(make_history: MakeHistory, tier: Tier) -> None:
    history = make_history()
    history.change_tier(tier)
    history.send(Clock.BEHIND_729_DAYS)
    history.wait(timedelta(hours=25))
    history.send(Clock.BEHIND_729_DAYS)
    history.load_one(1)

    history.release_as_operator()

    history.load_one(0)
    history.change_tier(Tier.ENTERPRISE)
    history.roll_up()
    check_result(history)
    assert history.stored() == {Clock.BEHIND_729_DAYS: ONE_STORED}
    assert sum(history.billed().values()) == 1


def test_credible_copy_out_of_a_redriven_letter_counts_once(make_history: MakeHistory) -> None:
    history = make_history()
    history.change_tier(Tier.ENTERPRISE)
    history.send(Clock.BEHIND_729_DAYS)
    history.wait(timedelta(hours=25))
    history.send(Clock.BEHIND_729_DAYS)
    history.load_one(1)
    history.wait(LONGEST_IN_QUEUES - timedelta(hours=26))
    history.release_as_operator()

    history.load_one(0)

    check_result(history)
    assert history.stored() == {Clock.BEHIND_729_DAYS: ONE_STORED}
    assert sum(history.billed().values()) == 1


def test_old_event_is_released_once_no_other_copy_can_arrive(make_history: MakeHistory) -> None:
    history = make_history()
    history.send(Clock.BEHIND_731_DAYS)
    history.load_one(0)
    history.release_as_operator()
    assert history.stored() == {}
    history.wait(LONGEST_DELIVERY_TIME)

    history.release_as_operator()

    check_result(history)
    assert history.stored() == {Clock.BEHIND_731_DAYS: ONE_STORED}
    assert sum(history.billed().values()) == 1


def test_event_that_was_credible_is_never_released_without_its_time(make_history: MakeHistory) -> None:
    history = make_history()
    history.send(Clock.BEHIND_729_DAYS)
    history.load_one(0)
    history.wait(LONGEST_DELIVERY_TIME + timedelta(days=5))

    history.release_as_operator()

    check_result(history)
    assert history.stored() == {}


def test_stale_copy_of_an_accepted_event_is_not_released(make_history: MakeHistory) -> None:
    history = make_history()
    history.change_tier(Tier.ENTERPRISE)
    history.send(Clock.BEHIND_729_DAYS)
    history.load_one(0)
    history.roll_up()
    history.wait(timedelta(hours=25))
    history.send(Clock.BEHIND_729_DAYS)
    history.load_one(0)
    history.wait(LONGEST_DELIVERY_TIME)

    history.release_as_operator()

    check_result(history)
    assert history.stored() == {Clock.BEHIND_729_DAYS: ONE_STORED}
    assert sum(history.billed().values()) == 1


def test_copy_of_an_expired_event_is_not_released(make_history: MakeHistory) -> None:
    history = make_history()
    history.change_tier(Tier.ENTERPRISE)
    for _ in range(2):
        history.send(Clock.BEHIND_729_DAYS)
        history.load_one(0)
        history.wait(timedelta(hours=25))
    history.roll_up()
    history.wait(timedelta(days=70))
    history.apply_retention()
    assert history.stored() == {}

    history.release_as_operator()

    history.settle()
    assert history.stored() == {}
    assert sum(history.billed().values()) == 1


def test_old_event_is_released_after_an_upgrade(make_history: MakeHistory) -> None:
    history = make_history()
    history.send(Clock.BEHIND_100_DAYS)
    history.load_one(0)
    history.roll_up()
    assert history.stored() == {}

    history.change_tier(Tier.GROWTH)
    check_result(history)

    assert history.stored() == {Clock.BEHIND_100_DAYS: ONE_STORED}
    assert sum(history.billed().values()) == 1


def test_event_that_is_loaded_after_its_month_is_closed_is_in_no_bill(make_history: MakeHistory) -> None:
    history = make_history()
    history.wait(timedelta(days=20))
    history.send(Clock.RIGHT)
    history.wait(timedelta(days=15))

    history.load_one(0)

    check_result(history)
    assert history.stored() == {Clock.RIGHT: ONE_STORED}
    assert history.billed() == {}


def test_app_of_the_first_copy_has_the_event(make_history: MakeHistory) -> None:
    """The copies are loaded in the other order, with a roll-up in between."""
    history = make_history()
    for app_id in (FIRST_APP, SECOND_APP):
        history.send(Clock.RIGHT, app_id=app_id)
    history.load_one(1)
    history.wait(timedelta(hours=2))
    history.roll_up()
    assert [group.app_id for group in history.counted("app_id")] == [SECOND_APP]

    history.load_one(0)

    check_filter(history)
    check_result(history)
    check_filter(history)
    assert [group.app_id for group in history.counted("app_id")] == [FIRST_APP]


@pytest.mark.parametrize("clock", [Clock.AHEAD_3_DAYS, Clock.RESET])
def test_released_event_keeps_its_app(make_history: MakeHistory, clock: Clock) -> None:
    history = make_history()
    history.send(clock, app_id=FIRST_APP)
    history.load_one(0)
    history.wait(timedelta(days=4))

    history.release_as_operator()

    check_filter(history)
    history.send(clock, app_id=SECOND_APP)
    check_result(history)
    check_filter(history)
    assert [group.app_id for group in history.counted("app_id")] == [FIRST_APP]


class Orders(RuleBasedStateMachine):
    """Random orders of all that can happen to an event."""

    def __init__(self, history: History) -> None:
        super().__init__()
        self.history = history

    @rule(clocks=EVENTS, app_id=APPS)
    def send(self, clocks: list[Clock], app_id: UUID | None) -> None:
        self.history.send(*clocks, app_id=app_id)

    @rule(clocks=EVENTS, duration=st.sampled_from(WAITS), apps=st.tuples(APPS, APPS))
    def send_twice(self, clocks: list[Clock], duration: timedelta, apps: tuple[UUID | None, UUID | None]) -> None:
        self.history.send(*clocks, app_id=apps[0])
        self.history.wait(duration)
        self.history.send(*clocks, app_id=apps[1])

    @rule(place=st.sampled_from([0, -1]))
    def load(self, place: int) -> None:
        self.history.load_one(place)

    @rule(duration=st.sampled_from(WAITS))
    def wait(self, duration: timedelta) -> None:
        self.history.wait(duration)

    @rule(tier=st.sampled_from(Tier))
    def change_tier(self, tier: Tier) -> None:
        self.history.change_tier(tier)

    @rule()
    def roll_up(self) -> None:
        self.history.roll_up()

    @rule()
    def release(self) -> None:
        self.history.release_as_operator()

    @invariant()
    def apps_add_up(self) -> None:
        check_apps(self.history)

    def teardown(self) -> None:
        check_result(self.history)
        check_filter(self.history)


@pytest.mark.exhaustive
def test_any_order_stores_and_bills_each_event_once(make_history: MakeHistory) -> None:
    run_state_machine_as_test(
        lambda: Orders(make_history()),  # type: ignore[arg-type]  # it is only called
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
