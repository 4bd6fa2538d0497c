"""The durations of the code fit the time-outs and retention periods of the template."""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tenancy.rules import durations as d
from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.stores.aws.exports import Exports
from tenancy.stores.aws.objects import Objects
from tenancy.stores.postgres.platform.migrations import LIMIT_LOCK_WAITS
from tenancy.use_cases.schema.migrate import LOCK_ATTEMPTS
from tests.given import ROOT
from tests.template.template import FOLDERS, FUNCTIONS, TEMPLATE, properties_of, statements

USUAL = TEMPLATE["Globals"]["Function"]["Timeout"]
CORE = ROOT / "layers/tenancy/tenancy"
BUCKETS: dict[str, type[Objects]] = {"ExportsBucket": Exports, "DeadLettersBucket": DeadLetterObjects}
SIGNING_ONLY = {"privacy", "sweep"}  # a link is signed without a call
SETTINGS_ONLY = {"audit", "compliance"}  # settings of buckets, and no object
# The time after which a function that calls S3 begins no other call, in seconds. A task of erase begins with it.
WORK_BEFORE_S3 = {
    "dead_letters": d.REDRIVE_WORK_TIME_SECONDS,
    "drain": d.DRAIN_WORK_TIME_SECONDS,
    "erase": 0,
    "privacy_jobs": d.PRIVACY_JOBS_WORK_TIME_SECONDS,
}
# Rules that are numbers of another kind: what is sold, and how old a client's clock may be.
ELSEWHERE = {"rules/tiers.py", "rules/rate_limit.py", "rules/deletion.py", "rules/events/row.py"}


def time_out(function: str) -> int:
    """Return a function's time-out in seconds."""
    seconds: int = FUNCTIONS[function].get("Timeout", USUAL)
    return seconds


def own_durations() -> Iterator[str]:
    """Yield `file: name` of each module-level duration outside rules/durations.py."""
    for path in sorted(CORE.rglob("*.py")):
        name = path.relative_to(CORE).as_posix()
        if name == "rules/durations.py" or name in ELSEWHERE:
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.AnnAssign) and node.value is not None and _is_duration(node):
                yield f"{name}: {ast.unparse(node.target)}"


def _is_duration(node: ast.AnnAssign) -> bool:
    name, value = ast.unparse(node.target), ast.unparse(node.value) if node.value else ""
    return value.startswith("timedelta(") or (name.endswith(("_SECONDS", "_MS")) and value[:1].isdigit())


def test_a_duration_stands_in_the_module_of_durations() -> None:
    assert list(own_durations()) == []


@pytest.mark.parametrize("function", ["erase", "privacy_jobs", "roll_up"])
def test_longest_functions_have_lambdas_maximum(function: str) -> None:
    assert timedelta(seconds=time_out(function)) == d.LONGEST_FUNCTION_RUN


@pytest.mark.parametrize(
    ("seconds", "function"),
    [
        (d.SCHEDULED_QUERY_TIMEOUT_SECONDS + d.CLICKHOUSE_LAST_ANSWER_SECONDS, "erase"),
        (d.SCHEDULED_QUERY_TIMEOUT_SECONDS + d.CLICKHOUSE_LAST_ANSWER_SECONDS, "privacy_jobs"),
        (d.SCHEDULED_QUERY_TIMEOUT_SECONDS + d.CLICKHOUSE_LAST_ANSWER_SECONDS, "roll_up"),
        (d.MIGRATION_QUERY_TIMEOUT_SECONDS + d.CLICKHOUSE_LAST_ANSWER_SECONDS, "migrate"),
        (d.CLICKHOUSE_QUERY_TIMEOUT_SECONDS + d.CLICKHOUSE_LAST_ANSWER_SECONDS, "usage"),
        (d.CLICKHOUSE_QUERY_TIMEOUT_SECONDS + d.CLICKHOUSE_LAST_ANSWER_SECONDS, "load"),
        (d.SWEEP_WORK_TIME_SECONDS, "sweep"),
        (d.PRIVACY_JOBS_WORK_TIME_SECONDS, "privacy_jobs"),
        (d.ROLL_UP_REDIS_TIMEOUT_SECONDS, "roll_up"),
        (d.ERASE_REDIS_TIMEOUT_SECONDS, "erase"),
        (d.SWEEP_REDIS_TIMEOUT_SECONDS, "sweep"),
        (d.PUBLICATION_REDIS_TIMEOUT_SECONDS, "delete"),
        (d.REDRIVE_WORK_TIME_SECONDS, "dead_letters"),
        (d.DRAIN_WORK_TIME_SECONDS, "drain"),
    ],
)
def test_work_ends_before_lambda_ends_the_function(seconds: float, function: str) -> None:
    assert seconds < time_out(function)


def test_attempts_on_a_used_table_end_before_lambda_ends_migrate() -> None:
    lock_timeout = re.search(r"lock_timeout = '(\d+)s'", LIMIT_LOCK_WAITS)
    assert lock_timeout

    longest = LOCK_ATTEMPTS * (timedelta(seconds=int(lock_timeout[1])) + d.TABLE_MAX_PAUSE)

    assert longest < timedelta(seconds=time_out("migrate"))


def s3_clients() -> Iterator[tuple[str, type[Objects]]]:
    """Yield each function that calls S3, by its policies, with the store that it uses."""
    for function in FOLDERS:
        granted = [statement for statement in statements(function) if "s3:" in str(statement["Action"])]
        for bucket, store in BUCKETS.items():
            is_granted = any(bucket in str(statement["Resource"]) for statement in granted)
            if is_granted and function not in SIGNING_ONLY | SETTINGS_ONLY:
                yield function, store


def longest_call(store: type[Objects]) -> float:
    """Return the time of a call of a silent S3 in seconds, with all of its attempts."""
    config = store.config
    return config.attempts * (config.connect_timeout + config.read_timeout)


def test_functions_that_call_s3_are_discovered() -> None:
    assert {function for function, _ in s3_clients()} == WORK_BEFORE_S3.keys()


@pytest.mark.parametrize(("function", "store"), list(s3_clients()))
def test_silent_s3_does_not_outlast_the_function(function: str, store: type[Objects]) -> None:
    """A last call of S3 begins at the end of the work time. The result is then sent and stored."""
    calls_after_it = d.AWS_CALL_TIMEOUT_SECONDS + d.POSTGRES_SILENCE_LIMIT_MS / 1000

    assert WORK_BEFORE_S3[function] + longest_call(store) + calls_after_it < time_out(function)


def test_functions_that_only_sign_links_have_no_other_right() -> None:
    for function in SIGNING_ONLY:
        of_exports = [each for each in statements(function) if "ExportsBucket" in str(each["Resource"])]

        assert [each["Action"] for each in of_exports] == ["s3:GetObject"]


@pytest.mark.parametrize("function", sorted(SETTINGS_ONLY))
def test_functions_of_reports_read_settings_of_buckets_alone(function: str) -> None:
    [actions] = [each["Action"] for each in statements(function) if "s3:" in str(each["Action"])]

    assert set(actions) == {"s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetBucketVersioning"}


@pytest.mark.parametrize("function", sorted(SETTINGS_ONLY))
def test_silent_aws_and_slow_statements_do_not_outlast_a_report(function: str) -> None:
    """The last call of AWS connects and reads. Two statements may wait for their whole time."""
    aws = d.DEPLOYED_SETTINGS_READ_SECONDS + 2 * d.DEPLOYED_SETTINGS_CALL_SECONDS

    assert aws + 2 * d.REPORT_STATEMENT_SECONDS + d.AWS_CALL_TIMEOUT_SECONDS < time_out(function)


@pytest.mark.parametrize(
    ("lease", "function"),
    [
        (d.SWEEP_LEASE_TIME, "sweep"),
        (d.ROLL_UP_LEASE_TIME, "roll_up"),
        (d.REDRIVE_LEASE_TIME, "dead_letters"),
    ],
)
def test_lease_outlasts_its_holder(lease: timedelta, function: str) -> None:
    assert lease > timedelta(seconds=time_out(function))


@pytest.mark.parametrize(
    ("claim", "function"),
    [
        (d.OUTBOX_CLAIM_TIME, "sweep"),
        (d.OUTBOX_CLAIM_TIME, "provision"),
        (d.OUTBOX_CLAIM_TIME, "delete"),
        (d.PROVISIONING_CLAIM_TIME, "provision"),
        (d.PRIVACY_JOB_CLAIM_TIME, "privacy_jobs"),
    ],
)
def test_claim_outlasts_its_worker(claim: timedelta, function: str) -> None:
    assert claim > timedelta(seconds=time_out(function))


def test_publication_is_claimed_no_longer_than_redis_knows_the_old_standing() -> None:
    assert timedelta(seconds=d.PUBLICATION_REDIS_TIMEOUT_SECONDS) < d.PUBLICATION_CLAIM_TIME < d.STANDING_TTL


def test_query_for_a_client_ends_before_the_function() -> None:
    connecting = d.POSTGRES_CONNECT_TIMEOUT_SECONDS + d.CLICKHOUSE_CONNECT_TIMEOUT_SECONDS
    query = d.CLICKHOUSE_QUERY_TIMEOUT_SECONDS + d.CLICKHOUSE_LAST_ANSWER_SECONDS

    assert connecting + query < time_out("usage")


def test_queries_end_on_the_server_after_their_client() -> None:
    assert timedelta(seconds=d.SCHEDULED_QUERY_TIMEOUT_SECONDS) <= d.LONGEST_QUERY


def test_digests_and_held_events_outlive_every_message() -> None:
    """A queue redelivers a message, and a redrive starts its retention again."""
    kept = max(each.get("MessageRetentionPeriod", 0) for each in properties_of("AWS::SQS::Queue").values())

    longest = min(d.SUBJECT_DIGEST_RETENTION, d.REFUSAL_RETENTION, d.LONGEST_DELIVERY_TIME)
    assert 2 * timedelta(seconds=kept) <= longest


def test_dead_letters_are_kept_as_long_as_by_a_queue() -> None:
    kept = max(each.get("MessageRetentionPeriod", 0) for each in properties_of("AWS::SQS::Queue").values())
    [rule] = properties_of("AWS::S3::Bucket")["DeadLettersBucket"]["LifecycleConfiguration"]["Rules"]

    assert timedelta(seconds=kept) == d.DEAD_LETTER_RETENTION == timedelta(days=rule["ExpirationInDays"])


def test_exported_files_expire_before_the_bucket_deletes_them() -> None:
    rules = properties_of("AWS::S3::Bucket")["ExportsBucket"]["LifecycleConfiguration"]["Rules"]

    assert min(timedelta(days=rule["ExpirationInDays"]) for rule in rules if "ExpirationInDays" in rule) > (
        d.EXPORT_FILE_RETENTION
    )
