"""The shares of packages in reports of `python -X importtime`."""

from scripts.bench.import_packages import describe_packages

REPORT = """import time: self [us] | cumulative | imported package
import time:       100 |        100 |   re._parser
import time:       100 |        200 | re
import time:       250 |        250 |     psycopg.pq
import time:        50 |        300 |   psycopg
import time:       500 |        800 | tenancy.wiring
"""


def test_own_times_are_added_by_package() -> None:
    described = describe_packages([REPORT])

    assert described == "tenancy 50%, psycopg 30%, standard library 20%"


def test_a_module_has_the_shortest_time_of_all_reports() -> None:
    slow = REPORT.replace(" 500 |", " 900 |")

    described = describe_packages([slow, REPORT])

    assert described == "tenancy 50%, psycopg 30%, standard library 20%"
