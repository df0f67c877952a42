"""A warehouse in an object store: where its files are in Arrow, what Iceberg is told, and which errors a user sees."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from zipfile import ZipFile

import pyarrow as pa
import pytest
from pyarrow import fs
from pyspark.errors import PySparkException

from batch_layer.jars import jars_of
from batch_layer.object_store import DataFiles, check, is_refusal, properties
from batch_layer.session import catalog, spark_errors
from common.errors import BatchError, SettingsError, WarehouseUnavailable
from common.settings import Settings, load_settings

ELSEWHERE = {
    "LAMBDA360_BATCH_CATALOG": "jdbc",
    "LAMBDA360_BATCH_CATALOG_URI": "jdbc:sqlite:/tmp/catalog.db",
    "LAMBDA360_BATCH_WAREHOUSE": "s3://bucket/a lake",
}
ENDPOINT = "LAMBDA360_BATCH_S3_ENDPOINT"


def settings(**changed: str) -> Settings:
    return load_settings({**ELSEWHERE, **changed})


@pytest.fixture
def client(tmp_path: Path) -> list[Path]:
    """Jars, the last of which is an object store's client."""
    jars = [tmp_path / "other.jar", tmp_path / "client.jar"]
    for jar, name in zip(jars, ("Other.class", "software/amazon/awssdk/services/s3/S3Client.class"), strict=True):
        with ZipFile(jar, "w") as made:
            made.writestr(name, b"")
    return jars


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A store on this machine that answers every request with a status; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "location", ["{}/a b%20c ü/f.parquet", "file:{}/a b%20c ü/f.parquet", "file://{}/a b%20c ü/f.parquet"]
)
def test_a_file_on_this_machine_is_opened_by_the_path_that_iceberg_spells(location: str, tmp_path: Path) -> None:
    (tmp_path / "a b%20c ü").mkdir()
    (tmp_path / "a b%20c ü" / "f.parquet").write_bytes(b"held")

    with DataFiles().open(location.format(tmp_path)) as file:
        assert file.read() == b"held"


@pytest.mark.parametrize("scheme", ["s3", "s3a", "s3n"])
def test_a_file_in_the_store_has_the_key_that_iceberg_spells(scheme: str) -> None:
    """Nothing is escaped: a percent sign in a prefix is one."""
    files = DataFiles("http://127.0.0.1:1", "somewhere")
    system, path = files.found(f"{scheme}://bucket/a b%20c/x=1/f.parquet")
    assert isinstance(system, fs.S3FileSystem)
    assert (path, system.region) == ("bucket/a b%20c/x=1/f.parquet", "somewhere")
    assert files.found("s3://other/b")[0] is system, "connections and credentials are those of before"


def test_other_systems_are_arrows_own() -> None:
    with pytest.raises(pa.ArrowInvalid, match="nonsense"):
        DataFiles().open("nonsense://host/file")


def test_iceberg_is_told_of_the_store_and_of_no_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "zq-secret")
    assert properties(Settings()) == {}
    at_aws = settings(LAMBDA360_BATCH_S3_REGION="eu-central-1")
    assert properties(at_aws) == {"io-impl": "org.apache.iceberg.aws.s3.S3FileIO", "client.region": "eu-central-1"}
    own = settings(**{ENDPOINT: "http://minio:9000/"})
    assert properties(own) == {
        "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        "client.region": "us-east-1",
        "s3.endpoint": "http://minio:9000",
        "s3.path-style-access": "true",
    }
    assert catalog(own)["spark.sql.catalog.lake.s3.endpoint"] == "http://minio:9000"
    assert "zq-secret" not in repr((catalog(own), DataFiles.of(own)))
    hosts = settings(**{ENDPOINT: "http://minio:9000", "LAMBDA360_BATCH_S3_PATH_STYLE": "false"})
    assert properties(hosts)["s3.path-style-access"] == "false"
    assert not DataFiles.of(hosts).path_style


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("LAMBDA360_BATCH_WAREHOUSE", "s3://key:zq-secret@bucket/lake", "without credentials"),
        ("LAMBDA360_BATCH_WAREHOUSE", "s3://bucket/what?", r"without \? and #"),
        ("LAMBDA360_BATCH_WAREHOUSE", "s3://", "s3://BUCKET/PREFIX"),
        (ENDPOINT, "https://key:zq-secret@minio", "without credentials and path"),
        (ENDPOINT, "minio:9000", r"http\(s\)://HOST"),
        (ENDPOINT, "http://minio/lake", "without credentials and path"),
    ],
)
def test_what_cannot_be_a_store_is_refused_by_its_rule_and_not_quoted(name: str, value: str, rule: str) -> None:
    with pytest.raises(SettingsError, match=rule) as refused:
        settings(**{name: value})
    assert "zq-secret" not in str(refused.value)


@pytest.mark.parametrize("warehouse", ["s3://bucket/lake", "s3a://bucket", "gs://bucket/lake"])
def test_the_catalog_that_renames_is_refused_in_a_store_that_cannot(warehouse: str) -> None:
    with pytest.raises(SettingsError, match="catalog must be jdbc or rest") as refused:
        load_settings({"LAMBDA360_BATCH_WAREHOUSE": warehouse})
    assert "no atomic rename" in str(refused.value)


def test_a_warehouse_elsewhere_is_not_asked() -> None:
    check(Settings(), [])


def test_a_store_that_answers_is_no_error(client: list[Path]) -> None:
    with answering(200) as endpoint:
        check(settings(**{ENDPOINT: endpoint}), client)


def test_without_a_client_the_command_that_fetches_it_is_named(client: list[Path]) -> None:
    with pytest.raises(SettingsError, match="make setup-s3") as refused:
        check(settings(), client[:1])
    assert refused.value.field == "LAMBDA360_BATCH_WAREHOUSE"


def test_a_bucket_that_is_missing_is_a_setting_to_change(client: list[Path]) -> None:
    with answering(404) as endpoint, pytest.raises(SettingsError, match="a bucket that exists"):
        check(settings(**{ENDPOINT: endpoint}), client)


def test_credentials_that_the_store_refuses_are_one_error_that_names_where_they_come_from(client: list[Path]) -> None:
    with answering(403) as endpoint, pytest.raises(WarehouseUnavailable, match="ACCESS_DENIED") as refused:
        check(settings(**{ENDPOINT: endpoint}), client)
    for name in ("LAMBDA360_BATCH_WAREHOUSE", ENDPOINT, "LAMBDA360_BATCH_S3_REGION", "AWS_SECRET_ACCESS_KEY"):
        assert name in str(refused.value)


def test_a_store_that_is_away_is_one_error_that_names_the_settings(client: list[Path]) -> None:
    with answering(200) as endpoint:
        pass

    with pytest.raises(WarehouseUnavailable, match="NETWORK_CONNECTION") as refused:
        check(settings(**{ENDPOINT: endpoint}), client)

    assert refused.value.server == "warehouse"
    assert ENDPOINT in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Caused by: software.amazon.awssdk.core.exception.SdkClientException: Unable to load credentials", True),
        ("software.amazon.awssdk.services.s3.model.S3Exception: (Status Code: 403)", True),
        ("OSError: When reading information for key: AWS Error NETWORK_CONNECTION during HeadObject operation", True),
        ("org.apache.iceberg.exceptions.NotFoundException", False),
        ("software.amazon.awssdk.services.s3.model.NoSuchKeyException, an S3Exception", False),
        ("org.apache.spark.sql.AnalysisException: no such column", False),
    ],
)
def test_which_errors_are_the_stores(text: str, expected: bool) -> None:
    assert is_refusal(text) is expected
    with pytest.raises((BatchError, WarehouseUnavailable)) as raised, spark_errors("reading the master"):
        raise PySparkException(text)
    assert isinstance(raised.value, WarehouseUnavailable) is expected
    assert str(raised.value).startswith("reading the master: ")


def test_a_long_reason_is_cut() -> None:
    long = "software.amazon.awssdk.core.exception.SdkClientException: " + "no credentials here; " * 200
    with pytest.raises(WarehouseUnavailable) as raised, spark_errors("reading"):
        raise PySparkException(long)
    assert len(str(raised.value)) < 1_000


def test_further_jars_come_behind_the_releases_own(client: list[Path], tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    with pytest.raises(BatchError, match="`make setup` fetches them"):
        jars_of(settings(), own)
    (own / "spark.jar").touch()
    assert jars_of(settings(), own) == [own / "spark.jar"]
    further = settings(LAMBDA360_BATCH_JARS=str(tmp_path))
    assert jars_of(further, own) == [own / "spark.jar", *sorted(client)]
    empty = settings(LAMBDA360_BATCH_JARS=str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match="a folder that holds jars"):
        jars_of(empty, own)
