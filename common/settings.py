"""The one documented configuration: every setting with its default, unit and reason.

Settings are read once, by a command, from its environment and from `settings.env` in the home folder. Nothing is read
at import, and nothing here knows what a setting is used for.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from common.errors import SettingsError

PREFIX: Final = "LAMBDA360_"
HOME_FILE: Final = "settings.env"
S3_SCHEMES: Final = ("s3", "s3a", "s3n")
"""How the URI of a warehouse in a store of S3's protocol begins; the latter two are Hadoop's names for it."""

Port = Annotated[int, Field(ge=1024, le=65_535)]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1)]
Topic = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,200}$")]


class Group(BaseModel):
    """A group of settings: immutable, validated with its defaults, and without unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)


class StackSettings(Group):
    """The local servers that `lambda360 stack` runs."""

    port_base: Annotated[int, Field(ge=1024, le=65_530)] = Field(
        19_360,
        description="first of five consecutive loopback ports: Kafka, its controller, Cassandra, its storage port, JMX",
    )
    cassandra_heap_mib: Annotated[int, Field(ge=512)] = Field(
        1024, description="MiB; 1 GiB is enough for a development machine"
    )
    kafka_heap_mib: Annotated[int, Field(ge=256)] = Field(512, description="MiB")
    start_timeout_seconds: Seconds = Field(
        120.0, description="seconds a server may take to answer after its start, before the start counts as failed"
    )
    min_free_disk_mib: Positive = Field(1024, description="MiB that must be free before a server is started")


class LogSettings(Group):
    """The log (R1): the Kafka topic, and how it is reached."""

    bootstrap_servers: str = Field("", description="host:port,…; empty means the local stack's Kafka")
    topic: Topic = Field("customer_events", description="the log itself")
    errors_topic: Topic = Field(
        "processing_errors", description="what validation rejected, with position and bytes (R14)"
    )
    deltas_topic: Topic = Field("customer_deltas", description="copies of the stored deltas, with the log's partitions")
    alerts_topic: Topic = Field("customer_alerts", description="copies of the stored alerts, with the log's partitions")
    group: Name = Field("lambda360-speed", description="consumer group of the speed workers")
    partitions: Annotated[int, Field(ge=1, le=1000)] = Field(
        4, description="partitions of the log, chosen when the topic is created; they never change afterwards (R1)"
    )
    replication_factor: Positive = Field(1, description="1 for the local single node; 3 in production")
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = Field(
        "USD", description="ISO 4217 code of the deployment's one currency; a record in another one is rejected (R3)"
    )


class CassandraSettings(Group):
    """Cassandra, which holds the views, the facts and the deltas, and how it is reached."""

    hosts: str = Field("", description="host,…; empty means the local stack's Cassandra")
    port: Port | None = Field(None, description="native protocol port; none means the local stack's")
    datacenter: Name = Field("datacenter1", description="the local data centre of LOCAL_QUORUM")
    keyspace: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")] = Field(
        "lambda360", description="one per deployment"
    )
    replication_factor: Positive = Field(1, description="1 for the local single node; 3 in production")
    consistency: Literal["ONE", "LOCAL_ONE", "QUORUM", "LOCAL_QUORUM", "ALL"] = Field(
        "LOCAL_QUORUM", description="consistency of reads and writes; the pointer uses LOCAL_SERIAL besides"
    )
    request_timeout_seconds: Seconds = Field(10.0, description="seconds one statement may take")


class SpeedSettings(Group):
    """The speed layer's workers."""

    batch_records: Positive = Field(1000, description="records that a worker fetches at once, at most")
    fetch_wait_seconds: Annotated[float, Field(ge=0, le=1)] = Field(
        0.02,
        description="seconds for which Kafka may hold a fetch back for more records to come, which cost less together; "
        "the first record after a second without any is not held back, nor is a backlog; 0 means that none is",
    )
    in_flight: Positive = Field(128, description="statements awaiting Cassandra at once, at most (back-pressure)")
    cache_customers: Positive = Field(50_000, description="customers whose current facts a worker caches, at most")
    cache_facts: Positive = Field(
        500_000,
        description="current facts that a worker caches, at most, of all customers together: some 400 bytes each",
    )
    progress_interval_seconds: Seconds = Field(
        1.0, description="seconds between two writes of a worker's progress; after 10 s without one it counts as silent"
    )
    delta_ttl_days: Positive = Field(30, description="days a delta lives; it must outlive the time between two batches")
    session_timeout_seconds: Annotated[Seconds, Field(ge=6)] = Field(
        20.0, description="seconds until a silent worker's partitions go to other workers; Kafka allows no fewer than 6"
    )
    retry_min_seconds: Seconds = Field(0.1, description="seconds; the first pause before a failed request is retried")
    retry_max_seconds: Seconds = Field(5.0, description="seconds; the longest pause before a failed request is retried")
    breaker_threshold: Positive = Field(
        5, description="failures in a row after which the circuit breaker of Cassandra, or of Kafka's producer, opens"
    )
    breaker_recovery_seconds: Seconds = Field(
        60.0, description="seconds that an open circuit breaker lets no request pass, before it sends one probe"
    )
    publish_timeout_seconds: Seconds = Field(
        10.0, description="seconds without an acknowledgement after which a published message is sent again"
    )
    large_refund_cents: Positive = Field(
        50_000, description="cents; a new refund at or above it raises the alert `large_refund`"
    )
    metrics_port: Annotated[
        Literal[0] | Annotated[int, Field(ge=1024, le=65_435)], Field(union_mode="left_to_right")
    ] = Field(
        9360,
        description="loopback port of the first worker's metrics, one more for each further worker; where a port is "
        "taken, the next free one; 0 means none",
    )
    watchdog_seconds: Seconds = Field(
        120.0,
        description="seconds after which a worker ends itself if it is behind the log, the store answers, and it does "
        "not advance",
    )


class BatchSettings(Group):
    """The nightly job on Spark."""

    master: Name = Field("local[2]", description="Spark master URL")
    driver_memory: Name = Field("2g", description="JVM memory of the Spark driver")
    niceness: Annotated[int, Field(ge=0, le=19)] = Field(
        10,
        description="how far `batch run`, `maintain`, `verify`, `backfill` and `export` give way to what else runs on "
        "their machine, as `nice` counts it; 0 means not at all",
    )
    warehouse: str = Field(
        "",
        description="folder or URI of the Iceberg warehouse, such as `s3://bucket/lake`; empty means `warehouse` in "
        "the home",
    )
    s3_endpoint: str = Field(
        "", description="URL of a store that speaks S3's protocol, such as `https://minio:9000`; empty means AWS"
    )
    s3_region: str = Field(
        "",
        description="region of the bucket; empty means that of the AWS environment (`AWS_REGION`), and us-east-1 where "
        "`s3_endpoint` is set",
    )
    s3_path_style: bool = Field(
        True,
        description="whether requests to `s3_endpoint` name the bucket in the path, and not as a host: most stores but "
        "AWS's own want it",
    )
    jars: str = Field(
        "",
        description="folder of further jars for Spark: a database's JDBC driver, an object store's client "
        "(`make setup-s3` fills `.jars/s3`); empty means none",
    )
    catalog: Literal["hadoop", "jdbc", "rest"] = Field(
        "hadoop",
        description="Iceberg catalog. hadoop keeps its pointers in the warehouse, which must be a file system whose "
        "rename is atomic: a local disk or HDFS; on an object store, and for jobs from several machines, jdbc or rest",
    )
    catalog_uri: str = Field(
        "", description="where the catalog is: `jdbc:postgresql://…`, `jdbc:sqlite:…` or `https://…`; empty for hadoop"
    )
    driver_host: Name = Field(
        "127.0.0.1", description="name or address by which Spark's executors reach the driver; loopback for local[…]"
    )
    driver_bind: Name = Field("127.0.0.1", description="address on which the driver listens for its executors")
    spark_options: str = Field(
        "",
        description="file of further Spark properties, as in `spark-defaults.conf`: executors' memory and cores, "
        "credentials of an object store or a catalog. They win over the command's own",
    )
    buckets: Positive = Field(16, description="buckets of the master by customer, fixed when the table is created")
    interval_hours: Positive = Field(24, description="hours between two runs; deltas must outlive it")
    sla_hours: Positive | None = Field(
        None,
        description="hours between two publications above which the second one breaks the SLA; none means a quarter "
        "more than `interval_hours`",
    )
    load_rows_per_batch: Annotated[int, Field(ge=1, le=100)] = Field(20, description="rows in one unlogged batch")
    load_in_flight: Positive = Field(32, description="unlogged batches awaiting Cassandra at once in one task")
    audit_wait_seconds: Seconds = Field(
        600.0, description="seconds an audit waits until the speed layer has applied everything below the new cut (R18)"
    )
    audit_fact_seconds: Seconds = Field(
        30.0, description="seconds an audit compares facts; the sample of customers grows until they have passed (R18)"
    )
    ranking_size: Annotated[int, Field(ge=1, le=1000)] = Field(
        100, description="customers in each ranking, at most: a ranking is one partition of Cassandra"
    )
    keep_days: Positive = Field(
        90, description="days for which `batch verify` finds a batch's own snapshot; then maintenance drops its tag"
    )
    rules_file: str = Field(
        "", description="file of the quality gate's rules; empty means the release's own, `batch_layer/gate/rules.yaml`"
    )


class ServingSettings(Group):
    """The REST interface."""

    host: Name = Field("127.0.0.1", description="address to listen on; the default is loopback only")
    port: Port = Field(8360, description="REST port")
    max_behind_records: Positive = Field(100_000, description="records behind the log above which answers are degraded")
    max_behind_seconds: Seconds = Field(
        60.0,
        le=1800,
        description="seconds behind the log, or without a heartbeat, above which answers are degraded; at most 1800, "
        "since nobody knows for longer which deltas have expired",
    )
    pin_interval_seconds: Seconds = Field(
        0.25,
        description="seconds between two reads of pointer and progress in the background, which requests are answered "
        "by: two reads are then left for each of them",
    )
    pin_max_age_seconds: Annotated[float, Field(ge=0, le=60)] = Field(
        2.0,
        description="seconds above which what was read in the background is too old, and requests read everything "
        "themselves; 0 means that they always do. A batch is served so much later at most, and a lag noticed",
    )
    batch_get_max: Positive = Field(1000, description="customers in one batch-get request, at most")
    in_flight: Positive = Field(256, description="statements awaiting Cassandra at once, at most")
    reads_together: Annotated[int, Field(ge=1, le=32)] = Field(
        32,
        description="customers that one statement reads for as many requests, at most, while others are under way; 1 "
        "means that each request sends statements of its own",
    )
    customer_deltas: Annotated[int, Field(ge=100, le=200_000)] = Field(
        50_000,
        description="deltas of one customer above the cut that an answer adds up, at most; with more it is a 503 until "
        "a batch has absorbed them",
    )
    requests_in_flight: Positive = Field(
        512,
        description="requests under way at once in one process, at most; a further one is refused (503), not queued",
    )
    request_seconds: Seconds = Field(
        5.0, description="seconds in which the response to a request must begin, or it is refused (503)"
    )
    breaker_threshold: Positive = Field(
        5,
        description="failures in a row after which the circuit breaker of Cassandra opens: requests are refused (503)",
    )
    breaker_recovery_seconds: Seconds = Field(
        2.0, description="seconds that the open circuit breaker lets no statement pass, before it sends one probe"
    )
    access_log: bool = Field(
        False,
        description="writes a line for each request; lines name customers, and an erasure removes them from logs in "
        "the home only",
    )


class NotifySettings(Group):
    """The webhook that notifications are sent to: what a batch run finds, and with a forwarder the alerts."""

    url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = Field(
        "",
        repr=False,  # its path is often a key
        description="where notifications are posted; empty means nowhere: then the log alone has them",
    )
    secret: SecretStr = Field(
        SecretStr(""),
        description="signs each request (Standard Webhooks): `whsec_` and 24 to 64 bytes in base64; a URL needs it",
    )
    timeout_seconds: Seconds = Field(10.0, description="seconds one request may take")
    attempts: Positive = Field(
        4, description="requests for one notification, at most, before it is left for later: the next run, or a replay"
    )
    retry_min_seconds: Seconds = Field(0.5, description="seconds; the first pause before a request is repeated")
    retry_max_seconds: Seconds = Field(5.0, description="seconds; the longest pause before a request is repeated")
    breaker_threshold: Positive = Field(
        5, description="failures in a row after which the circuit breaker of the webhook opens"
    )
    breaker_recovery_seconds: Seconds = Field(
        60.0, description="seconds that the open circuit breaker lets no request pass, before it sends one probe"
    )
    run_seconds: Seconds = Field(
        30.0, description="seconds that a batch run spends on sending, at most; what is left is sent by the next run"
    )
    keep_days: Positive = Field(30, description="days a notification is kept, sent or not")
    group: Name = Field("lambda360-notifications", description="consumer group of `notifications forward`")

    @field_validator("secret")
    @classmethod
    def _is_a_key(cls, secret: SecretStr) -> SecretStr:
        text = secret.get_secret_value().removeprefix("whsec_").rstrip("=")
        try:
            size = len(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
        except binascii.Error:
            size = -1
        if secret.get_secret_value() and not _KEY_BYTES[0] <= size <= _KEY_BYTES[1]:
            raise ValueError("`whsec_` and 24 to 64 bytes in base64; the value is not shown")
        return secret


_KEY_BYTES: Final = (24, 64)


class ErasureSettings(Group):
    """What is kept of erasures outside of the system's data (R24, R25)."""

    ledger: str = Field(
        "",
        description="file that keeps every erased customer's id for restores; empty means `<home>-erasures.jsonl` "
        "beside the home. Keep it on another disk, and out of the backups that it is applied to",
    )


class LineageSettings(Group):
    """The OpenLineage events of batch runs: where they are kept, and where they are sent."""

    folder: str = Field(
        "", description="folder of the kept events, a file for each batch; empty means `lineage` in the home"
    )
    namespace: Name = Field("lambda360", description="namespace of the job in its events")
    url: Annotated[str, Field(pattern=r"^(https?://[^\s/@?]+(/[^\s@?]*)?)?$")] = Field(
        "",
        description="URL that takes OpenLineage events by POST, such as `http://marquez:5000/api/v1/lineage`, without "
        "user, password and query; empty means that none are sent",
    )
    api_key_file: str = Field(
        "", description="file that holds the key for that URL, sent as a bearer token; empty means no key"
    )
    timeout_seconds: Seconds = Field(
        2.0, description="seconds that a run waits for that URL, all in all; then it goes on without it"
    )


class AccessSettings(Group):
    """Who may ask the REST interface, and how much one connection may take of it."""

    keys_file: str = Field(
        "", description="file of API keys, a line `ID:SCOPE:HASH` each, as `lambda360 keys new` prints it; empty: none"
    )
    keys: str = Field("", description="further API keys, as lines of `keys_file` separated by commas")
    require_key: bool = Field(
        False,
        description="whether a request needs a key on a loopback address, too; set it behind a reverse proxy on this "
        "machine. Beyond loopback, and for what changes something, a key is always needed",
    )
    hosts: str = Field(
        "",
        description="names, separated by commas, that a request's `Host` may have besides `localhost` and IP addresses",
    )
    origins: str = Field(
        "",
        description="origins, separated by commas, whose pages may read answers (CORS), such as "
        "`https://shop.example`; empty: none",
    )
    rate_per_minute: Annotated[int, Field(ge=0)] = Field(
        6000, description="requests that one key may send in a minute to one process; 0: no limit"
    )
    max_body_bytes: Positive = Field(1_048_576, description="bytes of a request's body, at most; more is a 413")
    max_header_bytes: Annotated[int, Field(ge=1024)] = Field(
        16_384, description="bytes of a request's headers, at most; more is a 431"
    )
    max_url_bytes: Annotated[int, Field(ge=1024)] = Field(
        8192, description="bytes of a request's path and query, at most; more is a 414"
    )
    max_connections: Positive = Field(
        1000, description="open connections of one process, at most; a further one is answered with a 503 and closed"
    )
    header_seconds: Seconds = Field(
        10.0, description="seconds that a client may take to send a request's headers; then it gets a 408"
    )
    body_seconds: Seconds = Field(
        30.0, description="seconds that a client may take to send a request's body; then its connection is closed"
    )
    write_seconds: Seconds = Field(
        30.0,
        description="seconds in which a client must have read what waits for it (some 64 KiB); then its connection is "
        "closed",
    )


class LiveSettings(Group):
    """The streams of live deltas: server-sent events from the topic of deltas."""

    clients: Positive = Field(500, description="streams that one process keeps open, at most; a further one gets a 503")
    queue: Positive = Field(
        1000, description="events that wait for a slow client, at most; then its stream ends with the event `dropped`"
    )
    recent: Positive = Field(
        5000, description="newest deltas that a process keeps in memory, at most, for streams that are resumed"
    )
    catch_ups: Positive = Field(
        4, description="resumed streams that may read from Kafka at once what is in memory no more; others get a 503"
    )
    catch_up_messages: Positive = Field(
        1_000_000, description="messages that one resumed stream may read from Kafka; beyond them it gets a `gap`"
    )
    heartbeat_seconds: Annotated[Seconds, Field(le=15)] = Field(
        15.0, description="seconds of silence after which a stream sends the event `heartbeat`"
    )


class Settings(Group):
    """All settings; every field's environment name is `LAMBDA360_<GROUP>_<FIELD>`."""

    home: Path = Field(Path("var"), description="data, logs, pids and ports of the local system; `LAMBDA360_HOME`")
    stack: StackSettings = StackSettings()
    log: LogSettings = LogSettings()
    cassandra: CassandraSettings = CassandraSettings()
    speed: SpeedSettings = SpeedSettings()
    batch: BatchSettings = BatchSettings()
    serving: ServingSettings = ServingSettings()
    erasure: ErasureSettings = ErasureSettings()
    notify: NotifySettings = NotifySettings()
    lineage: LineageSettings = LineageSettings()
    access: AccessSettings = AccessSettings()
    live: LiveSettings = LiveSettings()

    @model_validator(mode="after")
    def _deltas_outlive_the_batch_interval(self) -> Self:
        if self.speed.delta_ttl_days * 24 < 2 * self.batch.interval_hours:
            rule = "speed.delta_ttl_days must be at least twice batch.interval_hours, or a late batch loses deltas"
            raise ValueError(rule)
        return self

    @model_validator(mode="after")
    def _a_catalog_of_its_own_has_a_place(self) -> Self:
        if (self.batch.catalog == "hadoop") is bool(self.batch.catalog_uri):
            raise ValueError("batch.catalog_uri must be set where batch.catalog is jdbc or rest, and nowhere else")
        return self

    @model_validator(mode="after")
    def _an_object_store_has_another_catalog(self) -> Self:
        scheme, _, rest = self.batch.warehouse.partition("://")
        if scheme in (*S3_SCHEMES, "gs") and self.batch.catalog == "hadoop":
            raise ValueError(
                f"batch.catalog must be jdbc or rest where batch.warehouse is in an object store ({scheme}://): it has "
                "no atomic rename, by which the catalog hadoop commits"
            )
        if scheme in S3_SCHEMES and not re.fullmatch(r"[A-Za-z0-9._-]+(/[^?#]*)?", rest):
            raise ValueError("batch.warehouse must be s3://BUCKET/PREFIX, without credentials, and without ? and #")
        return self

    @model_validator(mode="after")
    def _an_endpoint_is_a_url(self) -> Self:
        endpoint = self.batch.s3_endpoint
        if endpoint and not re.fullmatch(r"https?://[^/\s@]+/?", endpoint):
            raise ValueError("batch.s3_endpoint must be http(s)://HOST[:PORT], without credentials and path")
        return self

    @model_validator(mode="after")
    def _topics_differ(self) -> Self:
        seen: dict[str, str] = {}
        for field in TOPIC_FIELDS:
            topic = getattr(self.log, field)
            if topic in seen:
                raise ValueError(f"log.{field} must be another topic than log.{seen[topic]}")
            seen[topic] = field
        return self

    @model_validator(mode="after")
    def _reads_see_what_was_written(self) -> Self:
        if self.cassandra.consistency in ("ONE", "LOCAL_ONE") and self.cassandra.replication_factor > 1:
            raise ValueError("cassandra.consistency must be a quorum or ALL where there are several replicas")
        return self

    @model_validator(mode="after")
    def _pauses_grow(self) -> Self:
        if self.speed.retry_min_seconds > self.speed.retry_max_seconds:
            raise ValueError("speed.retry_min_seconds must not be above speed.retry_max_seconds")
        return self

    @model_validator(mode="after")
    def _a_pin_is_renewed_before_it_is_too_old(self) -> Self:
        if 0 < self.serving.pin_max_age_seconds < self.serving.pin_interval_seconds:
            raise ValueError("serving.pin_max_age_seconds must be 0, or not below serving.pin_interval_seconds")
        return self

    @model_validator(mode="after")
    def _a_webhook_is_signed(self) -> Self:
        if self.notify.url and not self.notify.secret.get_secret_value():
            raise ValueError("notify.secret must be set where notify.url is: receivers verify who sent a notification")
        return self

    @property
    def bootstrap_servers(self) -> str:
        return self.log.bootstrap_servers or f"127.0.0.1:{self.stack.port_base}"

    @property
    def cassandra_hosts(self) -> tuple[str, ...]:
        return tuple(host.strip() for host in (self.cassandra.hosts or "127.0.0.1").split(","))

    @property
    def cassandra_port(self) -> int:
        return self.cassandra.port or self.stack.port_base + 2

    @property
    def warehouse(self) -> str:
        return self.batch.warehouse or str((self.home / "warehouse").absolute())

    @property
    def sla_hours(self) -> float:
        return self.batch.sla_hours or self.batch.interval_hours * 1.25

    @property
    def lineage_folder(self) -> Path:
        return Path(self.lineage.folder) if self.lineage.folder else self.home / "lineage"

    @property
    def erasure_ledger(self) -> Path:
        home = self.home.absolute()
        return Path(self.erasure.ledger) if self.erasure.ledger else home.with_name(f"{home.name}-erasures.jsonl")


TOPIC_FIELDS: Final = ("topic", "errors_topic", "deltas_topic", "alerts_topic")
"""The settings of `log` that name a topic; the log is the first."""
GROUPS: Final = (
    "stack",
    "log",
    "cassandra",
    "speed",
    "batch",
    "serving",
    "erasure",
    "notify",
    "lineage",
    "access",
    "live",
)


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Returns the settings that `environ` and the home's `settings.env` describe; `environ` wins over the file.

    Raises SettingsError with the variable's name, its value and the rule, also for an unknown `LAMBDA360_` name.
    """
    home = Path(environ.get(f"{PREFIX}HOME") or "var")
    try:
        stored = _read_home_file(home / HOME_FILE)
        raw: dict[str, object] = {"home": home}
        for name, value in {**stored, **{k: v for k, v in environ.items() if k.startswith(PREFIX)}}.items():
            if name != f"{PREFIX}HOME":
                group, field = _field_of(name, value)
                raw.setdefault(group, {})[field] = value  # type: ignore[index] # a dict was put there by this very line
        return Settings.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        path = [str(part) for part in first["loc"]]
        variable = PREFIX + "_".join(path).upper() if path else "settings"
        raise SettingsError(variable, _shown(path, first.get("input", "")), first["msg"]) from error


def environment_of(settings: Settings) -> dict[str, str]:
    """Inverse of `load_settings`: returns the environment for a child process."""
    environ = {f"{PREFIX}HOME": str(settings.home)}
    for group in GROUPS:
        for field, value in getattr(settings, group):
            if value is not None:  # an empty value is set as well: it wins over the home's file
                text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                environ[f"{PREFIX}{group.upper()}_{field.upper()}"] = text
    return environ


def _shown(path: list[str], value: object) -> str:
    """A wrong value as a message quotes it: no secret, and no group of settings, which may hold one."""
    match path:
        case [group, field, *_] if not isinstance(getattr(getattr(Settings(), group), field, None), SecretStr):
            return str(value)[:200]
        case ["home"]:
            return str(value)[:200]
        case _:
            return ""


def _read_home_file(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), str(error), "a text file in UTF-8, of lines NAME=VALUE") from error
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in pairs}


def _field_of(variable: str, value: str) -> tuple[str, str]:
    group, _, field = variable.removeprefix(PREFIX).lower().partition("_")
    if variable.startswith(PREFIX) and group in GROUPS and field in type(getattr(Settings(), group)).model_fields:
        return group, field
    raise SettingsError(variable, value, "no such setting; `docs/settings.md` lists them all")
