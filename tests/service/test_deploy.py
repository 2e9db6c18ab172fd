"""The image, the compose file and the dashboard say the same as the program."""

from __future__ import annotations

import json
import os
import re

import pytest
import yaml

from tests.conftest import ROOT
from text_recognizer.recognition import bundle
from text_recognizer.service.monitoring import metrics
from text_recognizer.service.settings import Settings

DEPLOY = ROOT / "deploy"
METRIC = re.compile(r"\b(?:text_recognizer|process|python)_\w+")


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, in order: name and rest."""
    text = (DEPLOY / "docker" / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.M))
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line]


@pytest.fixture(scope="module")
def last_stage(dockerfile) -> dict[str, str]:
    """Of the stage that becomes the image: instruction -> its last occurrence."""
    start = max(number for number, (name, _) in enumerate(dockerfile) if name == "FROM")
    return dict(dockerfile[start:])


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text(encoding="utf-8"))


def dashboard_queries() -> list[tuple[str, str]]:
    """Title and expression of each query."""
    file = DEPLOY / "grafana" / "dashboards" / "text-recognizer.json"
    panels = json.loads(file.read_text(encoding="utf-8"))["panels"]
    return [(panel["title"], target["expr"]) for panel in panels for target in panel["targets"]]


def exposed_names() -> set[str]:
    """Names of all time series that the server can show: those with labels have none before they are used."""
    types = re.findall(r"^# TYPE (\w+) (\w+)$", metrics.exposition()[0].decode(), flags=re.M)
    parts = {"histogram": ("_bucket", "_sum", "_count")}
    return {name + end for name, kind in types for end in parts.get(kind, ("",))}


def test_the_image_runs_as_a_user_with_a_fixed_number(last_stage):
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", last_stage["USER"])


def test_the_image_checks_its_health_without_other_programs(last_stage):
    command = json.loads(last_stage["HEALTHCHECK"].partition("CMD ")[2])
    assert command[0] == "python"
    compile(command[-1], "HEALTHCHECK", "exec")
    assert "/healthz" in command[-1]


def test_the_image_starts_without_a_shell_and_stops_by_sigterm(last_stage):
    assert json.loads(last_stage["ENTRYPOINT"]) + json.loads(last_stage["CMD"]) == ["text-recognizer", "serve"]
    assert last_stage["STOPSIGNAL"] == "SIGTERM"
    assert last_stage["EXPOSE"] == str(Settings.model_fields["port"].default)


def test_the_image_takes_nothing_from_addresses_and_no_other_extras(dockerfile):
    assert not [rest for name, rest in dockerfile if name == "ADD"]
    assert not [rest for _, rest in dockerfile if re.search(r"curl|wget|https?://(?!127\.0\.0\.1)", rest)]
    script = (DEPLOY / "docker" / "install.sh").read_text(encoding="utf-8")
    assert re.findall(r'extras\["(\w+)"\]', script) == ["serve", "alerts", "postgres"]


def test_the_settings_of_the_image_exist(last_stage):
    check_settings(dict(pair.split("=", 1) for pair in last_stage["ENV"].split()))


def test_the_builder_gets_the_sources_alone():
    rows = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [row for row in rows if row and not row.startswith("#")]
    assert rules[0] == "*", "everything is left out but what is named"
    named = {rule[1:] for rule in rules if rule.startswith("!")}
    assert named.isdisjoint({"data", "shared", ".git", ".venv", "deploy", "tests"})
    assert all((ROOT / name).exists() for name in named)


def test_the_builder_gets_all_that_is_copied(dockerfile):
    rows = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    named = {row[1:] for row in rows if row.startswith("!")}
    copied = [rest.split()[:-1] for name, rest in dockerfile if name == "COPY" and "--from" not in rest]
    assert {source for sources in copied for source in sources} <= named


def test_every_service_is_confined_and_published_on_loopback_alone(compose):
    assert set(compose["services"]) == {"text-recognizer", "database", "prometheus", "grafana"}
    for name, service in compose["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert "healthcheck" in service or name == "text-recognizer", "its health check is in the image"
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert "privileged" not in service, name
    assert "ports" not in compose["services"]["database"]
    assert compose["services"]["database"]["networks"] == ["inside"]
    assert compose["networks"]["inside"]["internal"]


def test_named_volumes_exist(compose):
    for service in compose["services"].values():
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert source in compose["volumes"] or (DEPLOY / "docker" / source).exists(), volume


def test_the_settings_of_the_compose_file_exist(compose, tmp_path, monkeypatch):
    check_settings(compose["services"]["text-recognizer"]["environment"])
    monkeypatch.setenv("POSTGRES_PASSWORD", "secret")
    for name, value in compose["services"]["text-recognizer"]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{(\w+):[-?]([^}]*)\}", substitute, value))
    chosen = Settings()
    assert chosen.feedback_database == "postgresql://text_recognizer:secret@database/text_recognizer"
    assert chosen.api_keys == []
    assert chosen.allowed_hosts == ["localhost", "127.0.0.1", "text-recognizer"]


def test_every_variable_of_the_compose_file_is_in_the_example(compose):
    text = (DEPLOY / "docker" / "compose.yaml").read_text(encoding="utf-8")
    example = (DEPLOY / "docker" / ".env.example").read_text(encoding="utf-8")
    wanted = set(re.findall(r"\$\{(\w+)", text))
    assert wanted == set(re.findall(r"^(\w+)=", example, flags=re.M))
    assert not re.findall(r"^\w*PASSWORD=.+", example, flags=re.M), "no password to be used as it stands"


@pytest.mark.parametrize(("title", "query"), dashboard_queries())
def test_every_metric_of_the_dashboard_exists(title, query):
    names = METRIC.findall(re.sub(r'"[^"]*"', "", query))
    assert names or query.startswith("min(up{"), query
    assert set(names) <= exposed_names(), title


def test_prometheus_asks_the_server_of_the_compose_file(compose):
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    assert jobs["text-recognizer"] == ["text-recognizer:8000"]
    assert "text-recognizer" in compose["services"]
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text(encoding="utf-8"))
    assert source["datasources"][0]["url"] == "http://prometheus:9090"


def test_nothing_is_reported_to_the_makers_of_the_runtime(last_stage):
    assert "ORT_DISABLE_TELEMETRY=1" in last_stage["ENV"].split()
    assert bundle.os.environ["ORT_DISABLE_TELEMETRY"] == "1"  # set where the runtime is imported, for all others


def check_settings(environment: dict[str, str]) -> None:
    """Every TEXT_RECOGNIZER_ variable is one that the program reads."""
    known = {f"TEXT_RECOGNIZER_{name}".upper() for name in Settings.model_fields} | {"TEXT_RECOGNIZER_HOME"}
    assert {name for name in environment if name.startswith("TEXT_RECOGNIZER_")} <= known


def substitute(variable: re.Match[str]) -> str:
    """The value of a variable of the compose file, or its default."""
    default = "" if variable[0][len(variable[1]) + 3] == "?" else variable[2]
    return os.environ.get(variable[1]) or default
