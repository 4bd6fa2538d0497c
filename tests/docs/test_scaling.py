"""docs/scaling.md shows the output of the command: tests compare the parts that need no simulation."""

from scripts.capacity.__main__ import DOCUMENT, FENCE, refresh
from scripts.capacity.known import AwsNumbers, ServiceTimes
from scripts.capacity.limits import list_limits
from scripts.capacity.plan import deployed_plan, planned_for
from scripts.capacity.report import LOADS
from scripts.capacity.traffic import Traffic

AWS, TIMES = AwsNumbers.load(), ServiceTimes.load_file()
REPORT = DOCUMENT.read_text().partition(f"{FENCE}text\n")[2].partition(FENCE)[0]


def words_of(name: str) -> str:
    """Return the row of the report that begins with *name*, with single spaces."""
    [row] = [" ".join(line.split()) for line in REPORT.splitlines() if line.strip().startswith(f"{name}  ")]
    return row


def test_report_has_the_measured_service_times() -> None:
    assert REPORT.startswith(f"Service times of {TIMES.measured_at}: {TIMES.machine}\n")


def test_report_has_the_limits_of_the_template() -> None:
    limits = list_limits(Traffic(rate=LOADS[0]), deployed_plan(AWS), AWS, TIMES)

    for limit in limits:
        assert words_of(limit.name) == f"{limit.name} {limit.rate:,.0f} then: {limit.change}"


def test_report_has_the_plans() -> None:
    plans = [planned_for(Traffic(rate=rate), AWS, TIMES) for rate in LOADS]

    shards = " ".join(str(plan.shards) for plan in plans)
    concurrency = " ".join(f"{plan.concurrency:,.0f}" for plan in plans)

    assert words_of("shards of Valkey") == f"shards of Valkey {shards}"
    assert words_of("quota of concurrency, Lambda") == f"quota of concurrency, Lambda {concurrency}"


def test_report_replaces_the_one_before() -> None:
    document = f"above\n{FENCE}text\nold\n{FENCE}\nbelow\n{FENCE}sh\nls\n{FENCE}\n"

    assert refresh(document, "new") == document.replace("old", "new")
