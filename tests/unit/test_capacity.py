"""The simulated platform: no request is lost, the predicted limit breaks first, and money adds up."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from scripts.capacity.costs import cost_million_events, cost_month
from scripts.capacity.known import AwsNumbers, Line, ServiceTimes
from scripts.capacity.limits import CapacityLimit, list_limits
from scripts.capacity.picture import draw
from scripts.capacity.pipeline import Pipeline
from scripts.capacity.plan import CostModel, Plan, deployed_plan, planned_for
from scripts.capacity.report import make_report
from scripts.capacity.simulation import simulate
from scripts.capacity.traffic import Traffic
from tests.template.template import properties_of

AWS = AwsNumbers.load()
TIMES = ServiceTimes(
    measured_at="2026-11-29",
    machine="a test",
    authorizer=1.0,
    authorizer_start=300.0,
    ingest=Line(base=2.0, each=0.02),
    ingest_start=300.0,
    script=0.05,
    load=Line(base=2.0, each=0.02),
    insert=Line(base=8.0, each=0.004),
    message_bytes=Line(base=1_400.0, each=60.0),
)
TRAFFIC = Traffic(rate=200.0, organizations=200)


def plan_for(rate: float) -> Plan:
    return planned_for(replace(TRAFFIC, rate=rate), AWS, TIMES)


def first_limit(traffic: Traffic, plan: Plan) -> CapacityLimit:
    return list_limits(traffic, plan, AWS, TIMES)[0]


def test_each_request_is_accepted_refused_or_under_way() -> None:
    plan = replace(deployed_plan(AWS), method_rate=150.0, concurrency=12.0)
    pipeline = Pipeline(TRAFFIC, plan, AWS, TIMES)

    pipeline.run(warm_up=0.0, seconds=20.0)

    counts = pipeline.counts
    assert set(counts.refused) == {"API Gateway", "ingest"}
    assert counts.arrived == counts.accepted + counts.refused.total() + pipeline.requests.value


def test_each_accepted_event_is_stored_or_queued() -> None:
    pipeline = Pipeline(TRAFFIC, plan_for(TRAFFIC.rate), AWS, TIMES)

    pipeline.run(warm_up=0.0, seconds=20.0)

    loaders = pipeline.loaders
    assert pipeline.counts.accepted == loaders.messages + loaders.in_flight.value + len(loaders.queue)
    assert loaders.messages > 0


def test_moments_begin_after_the_warm_up() -> None:
    load = simulate(TRAFFIC, plan_for(TRAFFIC.rate), AWS, TIMES, seconds=10.0)

    assert [moment.second for moment in load.moments] == [6, 7, 8, 9, 10, 11, 12, 13, 14]
    assert min(moment.arrived for moment in load.moments) > TRAFFIC.rate / 2


def test_same_seed_gives_the_same_numbers() -> None:
    plan = plan_for(TRAFFIC.rate)

    one, other = (simulate(TRAFFIC, plan, AWS, TIMES, seconds=5.0) for _ in range(2))

    assert one == other


def test_planned_platform_refuses_no_request() -> None:
    load = simulate(TRAFFIC, plan_for(TRAFFIC.rate), AWS, TIMES, seconds=20.0)

    assert load.refused_share == 0
    assert load.accepted == pytest.approx(TRAFFIC.rate, rel=0.1)


def test_concurrency_is_rate_times_duration() -> None:
    plan = plan_for(TRAFFIC.rate)
    costs = CostModel(AWS, TIMES, plan).costs(TRAFFIC)

    load = simulate(TRAFFIC, plan, AWS, TIMES)

    assert load.ingest_mean == pytest.approx(load.accepted * costs.ingest, rel=0.15)


TIGHT = {
    "throttle of POST /v1/events": replace(plan_for(TRAFFIC.rate), method_rate=120.0),
    "API Gateway, requests of the account": replace(plan_for(TRAFFIC.rate), gateway_rate=120.0),
    "Lambda, requests per second": replace(plan_for(TRAFFIC.rate), concurrency=12.0),
}


@pytest.mark.parametrize("name", TIGHT)
def test_predicted_limit_of_requests_breaks_first(name: str) -> None:
    plan = TIGHT[name]
    calm = Traffic(rate=0.8 * 120, organizations=100, peak=1.0)
    busy = Traffic(rate=1.5 * 120, organizations=100, peak=1.0)

    below, above = (simulate(each, plan, AWS, TIMES, seconds=20.0) for each in (calm, busy))

    limit = first_limit(busy, plan)
    assert limit.name == name
    assert limit.rate == pytest.approx(120)
    assert below.refused_share == 0
    assert above.accepted == pytest.approx(120, rel=0.1)


SLOW = {
    "ClickHouse, processors": replace(TIMES, insert=Line(base=0.0, each=1.0)),
    "load, calls at once": replace(TIMES, load=Line(base=9_000.0, each=0.0)),
}


@pytest.mark.parametrize("name", SLOW)
def test_predicted_limit_of_messages_lets_the_queue_grow(name: str) -> None:
    plan = replace(plan_for(1.0), load_batch=20, load_concurrency=10.0, clickhouse_processors=4.0)
    times = SLOW[name]
    limit = list_limits(TRAFFIC, plan, AWS, times)[0]

    below, above = (
        simulate(Traffic(rate=factor * limit.rate, organizations=100, peak=1.0), plan, AWS, times, seconds=60.0)
        for factor in (0.5, 2.0)
    )

    assert limit.name == name
    assert below.moments[-1].waiting < 5 * limit.rate
    assert above.moments[-1].waiting > 20 * limit.rate


def test_busy_shard_is_predicted() -> None:
    plan = plan_for(TRAFFIC.rate)
    times = replace(TIMES, script=2.0)

    load = simulate(TRAFFIC, plan, AWS, times, seconds=20.0)

    assert load.valkey == pytest.approx(TRAFFIC.rate * 0.002, rel=0.15)


def test_larger_load_needs_larger_quotas() -> None:
    small, large = plan_for(1_000.0), plan_for(200_000.0)

    assert (small.queues, small.concurrency) == (1, AWS.quotas["lambda_concurrency"])
    assert large.queues > 1
    assert large.concurrency >= 200_000 / AWS.quotas["lambda_requests_per_second_of_an_environment"]
    assert first_limit(replace(TRAFFIC, rate=200_000.0), large).rate >= 200_000 * TRAFFIC.peak


def test_plan_of_the_template_is_that_of_the_template() -> None:
    queue = properties_of("AWS::Serverless::Function")["Load"]["Events"]["Queue"]["Properties"]

    plan = deployed_plan(AWS)

    assert (plan.load_batch, plan.load_concurrency) == (
        queue["BatchSize"],
        queue["ScalingConfig"]["MaximumConcurrency"],
    )


def test_each_unit_is_billed_in_its_tier() -> None:
    aws = AwsNumbers(quotas={}, assumptions={}, prices={"request": [[100, 2.0], [300, 1.0], [float("inf"), 0.5]]})

    assert aws.cost("request", 50) == 100
    assert aws.cost("request", 400) == 200 + 200 + 50


def test_costs_of_a_month_are_those_of_its_events() -> None:
    plan = plan_for(TRAFFIC.rate)
    load = simulate(TRAFFIC, plan, AWS, TIMES, seconds=10.0)

    dollars = cost_month(load, AWS, CostModel(AWS, TIMES, plan))

    events = load.events * 730 * 3_600
    assert all(each > 0 for each in dollars.values())
    assert cost_million_events(load, dollars) * events / 1e6 == pytest.approx(sum(dollars.values()))


def test_picture_shows_each_limit_and_load() -> None:
    report = make_report([TRAFFIC], AWS, TIMES)

    texts = {each.text for each in ET.fromstring(draw(report)).iter("{http://www.w3.org/2000/svg}text")}

    assert {each.name for each in report.deployed} | {"1,000", "10,000", "200,000"} <= texts
