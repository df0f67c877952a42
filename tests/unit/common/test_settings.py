"""The one documented configuration: every setting can be set, wrong ones are named, and a child gets the same."""

from pathlib import Path

import pytest

from common.errors import SettingsError
from common.settings import GROUPS, HOME_FILE, PREFIX, Settings, environment_of, load_settings

CHANGED = {
    "LAMBDA360_STACK_PORT_BASE": "20000",
    "LAMBDA360_LOG_TOPIC": "events",
    "LAMBDA360_CASSANDRA_PORT": "9042",
    "LAMBDA360_SPEED_RETRY_MIN_SECONDS": "0.5",
    "LAMBDA360_BATCH_BUCKETS": "64",
    "LAMBDA360_SERVING_PORT": "9000",
    "LAMBDA360_ERASURE_LEDGER": "/kept/erasures.jsonl",
    "LAMBDA360_NOTIFY_KEEP_DAYS": "3",
    "LAMBDA360_LINEAGE_URL": "http://marquez:5000/api/v1/lineage",
    "LAMBDA360_ACCESS_HOSTS": "api.example",
    "LAMBDA360_LIVE_CLIENTS": "7",
}


def test_without_an_environment_the_defaults_hold(tmp_path: Path) -> None:
    assert load_settings({"LAMBDA360_HOME": str(tmp_path)}) == Settings(home=tmp_path)


def test_every_group_is_set_from_the_environment(tmp_path: Path) -> None:
    settings = load_settings({**CHANGED, "LAMBDA360_HOME": str(tmp_path), "PATH": "/bin"})
    assert {name.removeprefix(PREFIX).split("_")[0].lower() for name in CHANGED} == set(GROUPS)
    assert (settings.stack.port_base, settings.log.topic, settings.cassandra_port) == (20_000, "events", 9042)
    assert (settings.speed.retry_min_seconds, settings.batch.buckets, settings.serving.port) == (0.5, 64, 9000)
    assert settings.erasure_ledger == Path("/kept/erasures.jsonl")
    assert settings.home == tmp_path


def test_what_is_not_said_follows_from_the_home_and_the_ports(tmp_path: Path) -> None:
    settings = load_settings({"LAMBDA360_HOME": str(tmp_path), "LAMBDA360_STACK_PORT_BASE": "20000"})
    assert settings.bootstrap_servers == "127.0.0.1:20000"
    assert (settings.cassandra_hosts, settings.cassandra_port) == (("127.0.0.1",), 20_002)
    assert settings.warehouse == str(tmp_path / "warehouse")
    assert settings.lineage_folder == tmp_path / "lineage"
    assert settings.erasure_ledger == tmp_path.with_name(f"{tmp_path.name}-erasures.jsonl")
    said = {"LAMBDA360_CASSANDRA_HOSTS": "one, two", "LAMBDA360_LOG_BOOTSTRAP_SERVERS": "kafka:1"}
    settings = load_settings({**said, "LAMBDA360_BATCH_WAREHOUSE": "hdfs://there"})
    assert (settings.cassandra_hosts, settings.bootstrap_servers) == (("one", "two"), "kafka:1")
    assert settings.warehouse == "hdfs://there"


def test_the_homes_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / HOME_FILE).write_text("# mine\n\nLAMBDA360_LOG_TOPIC = a\nLAMBDA360_LOG_GROUP=b\n", encoding="utf-8")
    settings = load_settings({"LAMBDA360_HOME": str(tmp_path), "LAMBDA360_LOG_GROUP": "c"})
    assert (settings.log.topic, settings.log.group) == ("a", "c")


@pytest.mark.parametrize(("max_age", "interval"), [("0.1", "0.25"), ("61", "0.25"), ("-1", "0.25")])
def test_a_pin_that_would_never_be_young_or_may_be_too_old_is_refused(max_age: str, interval: str) -> None:
    """R20, R22: and none at all is a choice."""
    given = {"LAMBDA360_SERVING_PIN_INTERVAL_SECONDS": interval}
    with pytest.raises(SettingsError):
        load_settings({**given, "LAMBDA360_SERVING_PIN_MAX_AGE_SECONDS": max_age})
    assert load_settings({**given, "LAMBDA360_SERVING_PIN_MAX_AGE_SECONDS": "0"}).serving.pin_max_age_seconds == 0


@pytest.mark.parametrize("name", ["LAMBDA360_LOG_TOPICS", "LAMBDA360_NONSENSE", "LAMBDA360_", "LAMBDA360_LOG"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="no such setting") as refused:
        load_settings({name: "x"})
    assert refused.value.field == name


def test_a_name_without_the_prefix_in_the_homes_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / HOME_FILE).write_text("LOG_TOPIC=a\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"LOG_TOPIC.*no such setting"):
        load_settings({"LAMBDA360_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAMBDA360_LOG_PARTITIONS", "many"),
        ("LAMBDA360_LOG_PARTITIONS", "0"),
        ("LAMBDA360_LOG_TOPIC", ""),
        ("LAMBDA360_LOG_TOPIC", "no spaces"),
        ("LAMBDA360_LOG_CURRENCY", "usd"),
        ("LAMBDA360_CASSANDRA_KEYSPACE", "x; DROP"),
        ("LAMBDA360_CASSANDRA_CONSISTENCY", "SOMEHOW"),
        ("LAMBDA360_SERVING_PORT", "80"),
        ("LAMBDA360_SPEED_RETRY_MIN_SECONDS", "0"),
        ("LAMBDA360_SPEED_WATCHDOG_SECONDS", "inf"),
    ],
)
def test_a_bad_value_is_named_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({name: value})
    assert (refused.value.field, refused.value.value) == (name, value)
    assert refused.value.rule


@pytest.mark.parametrize(
    ("environ", "rule"),
    [
        ({"LAMBDA360_SPEED_DELTA_TTL_DAYS": "1"}, "at least twice batch.interval_hours"),
        ({"LAMBDA360_BATCH_INTERVAL_HOURS": "361"}, "at least twice batch.interval_hours"),
        ({"LAMBDA360_LOG_ERRORS_TOPIC": "customer_events"}, "another topic than log.topic"),
        (
            {"LAMBDA360_CASSANDRA_CONSISTENCY": "ONE", "LAMBDA360_CASSANDRA_REPLICATION_FACTOR": "3"},
            "where there are several replicas",
        ),
        ({"LAMBDA360_SPEED_RETRY_MIN_SECONDS": "6"}, "must not be above speed.retry_max_seconds"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(environ: dict[str, str], rule: str) -> None:
    with pytest.raises(SettingsError, match=rule):
        load_settings(environ)


def test_a_child_gets_the_very_same_settings(tmp_path: Path) -> None:
    settings = load_settings({**CHANGED, "LAMBDA360_HOME": str(tmp_path)})
    assert load_settings(environment_of(settings)) == settings
    assert load_settings(environment_of(Settings(home=tmp_path))) == Settings(home=tmp_path)


def test_every_setting_says_what_it_is_for() -> None:
    for group in GROUPS:
        kind = type(getattr(Settings(), group))
        assert kind.__doc__
        assert all(field.description for field in kind.model_fields.values())


def test_an_empty_variable_outdoes_the_homes_file_for_a_child_too(tmp_path: Path) -> None:
    """Otherwise a parent would read the local log, and its workers another one."""
    (tmp_path / HOME_FILE).write_text(f"{PREFIX}LOG_BOOTSTRAP_SERVERS=elsewhere:9092\n", encoding="utf-8")
    parent = load_settings({f"{PREFIX}HOME": str(tmp_path), f"{PREFIX}LOG_BOOTSTRAP_SERVERS": ""})
    assert parent.bootstrap_servers.startswith("127.0.0.1:")
    assert load_settings(environment_of(parent)) == parent


@pytest.mark.parametrize("content", [b"LAMBDA360_SPEED_GENERATION=\xff", None])
def test_a_home_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / HOME_FILE
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(SettingsError, match="UTF-8") as raised:
        load_settings({f"{PREFIX}HOME": str(tmp_path)})
    assert raised.value.field == str(path)


SECRET = "whsec_" + "c2VjcmV0" * 5


def test_a_webhooks_secret_goes_to_a_child_and_into_no_text(tmp_path: Path) -> None:
    environ = {"LAMBDA360_NOTIFY_URL": "https://hooks.example.com/T0K3N", "LAMBDA360_NOTIFY_SECRET": SECRET}
    settings = load_settings({**environ, "LAMBDA360_HOME": str(tmp_path)})

    assert load_settings(environment_of(settings)) == settings
    assert environment_of(settings)["LAMBDA360_NOTIFY_SECRET"] == SECRET
    assert settings.notify.secret.get_secret_value() == SECRET
    assert SECRET not in repr(settings) + settings.model_dump_json()
    assert "T0K3N" not in repr(settings)


@pytest.mark.parametrize("secret", ["hush-hush-hush", "whsec_aHVzaC1odXNo", "whsec_" + "aHVzaC1odXNo" * 20])
def test_a_secret_that_is_no_key_is_refused_and_not_shown(secret: str) -> None:
    """24 to 64 bytes in base64: here none, 9 and 180."""
    with pytest.raises(SettingsError, match="24 to 64 bytes") as refused:
        load_settings({"LAMBDA360_NOTIFY_SECRET": secret})

    assert refused.value.field == "LAMBDA360_NOTIFY_SECRET"
    assert secret not in str(refused.value)
    assert secret not in str(refused.value.__cause__)


def test_a_webhook_without_a_secret_is_refused_and_its_url_not_shown() -> None:
    with pytest.raises(SettingsError, match=r"notify\.secret must be set where notify\.url is") as refused:
        load_settings({"LAMBDA360_NOTIFY_URL": "https://hooks.example.com/T0K3N"})

    assert "T0K3N" not in str(refused.value) + str(refused.value.__cause__)


def test_the_sla_is_a_quarter_more_than_the_interval_unless_it_is_said() -> None:
    assert load_settings({}).sla_hours == 30
    assert load_settings({"LAMBDA360_BATCH_INTERVAL_HOURS": "1"}).sla_hours == 1.25
    assert load_settings({"LAMBDA360_BATCH_SLA_HOURS": "26"}).sla_hours == 26
