import json
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.stack import aws, deployment
from scripts.stack.settings import StackSettings

PORTS = {"postgres": 1, "valkey": 2, "clickhouse": 3, "aws": 4, "api": 5}


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    return StackSettings(root=tmp_path, directory=tmp_path / ".local")


def test_parameters_that_the_template_lacks_are_not_set(settings: StackSettings) -> None:
    template = "Parameters: {Architecture: {Type: String}}\nResources: {A: {Type: !Ref Architecture}}\n"
    (settings.root / "template.yaml").write_text(template, encoding="utf-8")
    wanted = {"Architecture": "arm64", "DeletionGraceSeconds": "5"}

    parameters = deployment.template_parameters(settings, wanted)

    assert parameters == {"Architecture": "arm64"}


def test_template_of_another_checkout_is_deployed(settings: StackSettings, tmp_path: Path) -> None:
    release = tmp_path / "release"
    release.mkdir()
    template = "Parameters: {New: {Type: String}}\nResources: {}\n"
    (release / "template.yaml").write_text(template, encoding="utf-8")
    upgraded = replace(settings, release=release)

    assert deployment.template_parameters(upgraded, {"New": "1", "Old": "2"}) == {"New": "1"}
    assert (settings.bundle, upgraded.bundle) == (settings.directory / "build", release / ".local" / "build")
    assert aws.prepare(upgraded, PORTS).fingerprint == aws.prepare(settings, PORTS).fingerprint


def test_saved_state_moves_to_another_port_with_aws(settings: StackSettings) -> None:
    aws.prepare(settings, PORTS).before_start()
    saved = settings.directory / "aws" / "state" / "sqs.json"
    saved.write_text(json.dumps({"http://127.0.0.1:4/000000000000/events": {}}), encoding="utf-8")

    aws.prepare(settings, {**PORTS, "aws": 6}).before_start()

    assert json.loads(saved.read_text(encoding="utf-8")) == {"http://127.0.0.1:6/000000000000/events": {}}


def test_start_deletes_leftovers_of_workers_but_no_layers(settings: StackSettings) -> None:
    scratch = settings.directory / "aws" / "tmp"
    for name in ("ministack-lambda-usage-x", "partial-layer-y", "layer-z"):
        (scratch / name).mkdir(parents=True)

    aws.prepare(settings, PORTS).before_start()

    assert [path.name for path in scratch.iterdir()] == ["layer-z"]


def test_workers_restart_when_a_database_moves(settings: StackSettings) -> None:
    before = aws.prepare(settings, PORTS).fingerprint

    same = aws.prepare(settings, PORTS).fingerprint
    moved = aws.prepare(settings, {**PORTS, "valkey": 7}).fingerprint

    assert same == before
    assert moved != before


def test_callers_environment_does_not_reach_a_function(
    settings: StackSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://production")
    elsewhere = replace(settings, hosts=("127.0.0.1", "172.17.0.1"))

    environment = aws.prepare(elsewhere, PORTS).environment

    assert "DATABASE_URL" not in environment
    assert "LOG_LEVEL" not in environment  # the functions' loggers would obey it
    assert environment["STACK_HOSTS"] == "127.0.0.1,172.17.0.1"
