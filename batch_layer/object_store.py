"""A warehouse in a store of S3's protocol: how Spark and Arrow reach it, and its errors. Knows no Spark, and no table.

Credentials are in no setting. Iceberg's client in the JVM and Arrow's in Python both look for them where AWS's tools
do: the variables of the environment (`AWS_ACCESS_KEY_ID` and others), a profile, or the machine's own role.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote
from zipfile import BadZipFile, ZipFile

import pyarrow as pa
from pyarrow import fs

from common.errors import SettingsError, WarehouseUnavailable
from common.settings import S3_SCHEMES, Settings

_FILE_IO: Final = "org.apache.iceberg.aws.s3.S3FileIO"
_CLIENT: Final = "software/amazon/awssdk/services/s3/S3Client.class"
_OWN_REGION: Final = "us-east-1"
"""Of an endpoint without regions; requests are signed for one all the same."""
_CONNECT_SECONDS: Final = 10.0
_REQUEST_SECONDS: Final = 60.0
_ATTEMPTS: Final = 5
_MOST: Final = 400
"""Characters of the reason in a message: Java lists every place where it looked for credentials."""
_SIGNS: Final = (
    "software.amazon.awssdk.core.exception.",  # no answer, no credentials, or given up after retries
    "software.amazon.awssdk.services.s3.model.S3Exception",  # the store refused
    "AWS Error ",  # Arrow's
)
_NOT_THESE: Final = ("NO_SUCH_KEY", "NoSuchKeyException")
"""A file that is gone is no matter of the store's."""


@dataclass(frozen=True, slots=True)
class DataFiles:
    """Opens files of the warehouse in Arrow, wherever they are. A value, which goes to Spark's tasks."""

    endpoint: str = ""
    region: str = ""
    path_style: bool = True

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Returns what reaches the warehouse of these settings."""
        batch = settings.batch
        region = batch.s3_region or (_OWN_REGION if batch.s3_endpoint else "")
        return cls(batch.s3_endpoint.rstrip("/"), region, batch.s3_path_style)

    def open(self, location: str) -> pa.NativeFile:
        """Returns the file at a location as Iceberg spells it: a path or a URI, without escapes."""
        system, path = self.found(location)
        return system.open_input_file(path)

    def found(self, location: str) -> tuple[fs.FileSystem, str]:
        """Returns the file system of a location, and the path in it."""
        scheme, colon, path = location.partition(":")
        if not colon or "/" in scheme:
            return fs.LocalFileSystem(), location
        if scheme == "file":
            return fs.LocalFileSystem(), f"/{path.lstrip('/')}"
        if scheme in S3_SCHEMES:
            return _s3(self), path.lstrip("/")
        system, path = fs.FileSystem.from_uri(f"{scheme}:{quote(path, safe='/:@=')}")
        return system, path


@lru_cache(maxsize=4)
def _s3(files: DataFiles) -> fs.S3FileSystem:
    # Each new one would open new connections, and look for credentials again.
    chosen = {"region": files.region} if files.region else {}
    if files.endpoint:
        scheme, _, place = files.endpoint.partition("://")
        chosen |= {"scheme": scheme, "endpoint_override": place}
    return fs.S3FileSystem(
        **chosen,
        force_virtual_addressing=bool(files.endpoint) and not files.path_style,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    )


def is_s3(location: str) -> bool:
    """Whether the URI is one of a store of S3's protocol."""
    scheme, colon, _ = location.partition("://")
    return bool(colon) and scheme in S3_SCHEMES


def properties(settings: Settings) -> dict[str, str]:
    """Returns the properties of an Iceberg catalog on this warehouse; none where it is in no such store."""
    if not is_s3(settings.warehouse):
        return {}
    files = DataFiles.of(settings)
    found = {"io-impl": _FILE_IO}
    if files.region:
        found["client.region"] = files.region
    if files.endpoint:
        found |= {"s3.endpoint": files.endpoint, "s3.path-style-access": str(files.path_style).lower()}
    return found


def check(settings: Settings, jars: Sequence[Path]) -> None:
    """Returns once the store has answered for the warehouse; at once where it is in no such store.

    Raises SettingsError if the bucket is missing or none of the `jars` has a client, and WarehouseUnavailable if the
    store does not answer, or refuses.
    """
    if not is_s3(settings.warehouse):
        return
    if not any(_has_client(jar) for jar in jars):
        rule = "a warehouse that Spark has a client for: run `make setup-s3`, and set LAMBDA360_BATCH_JARS to .jars/s3"
        raise SettingsError("LAMBDA360_BATCH_WAREHOUSE", settings.warehouse, rule)
    try:
        system, path = DataFiles.of(settings).found(settings.warehouse)
        bucket = system.get_file_info(path.partition("/")[0])
    except OSError as error:
        raise WarehouseUnavailable(refusal("looking for the warehouse", str(error))) from error
    if bucket.type is fs.FileType.NotFound:
        rule = "in a bucket that exists, and that these credentials may list"
        raise SettingsError("LAMBDA360_BATCH_WAREHOUSE", settings.warehouse, rule)


def refusal(doing: str, why: str) -> str:
    """Returns what to tell of an object store that did not do what was asked, and where to look."""
    return (
        f"{doing}: the object store of the warehouse does not answer, or does not take the credentials: "
        f"{why if len(why) <= _MOST else why[:_MOST] + '…'}. It is named by LAMBDA360_BATCH_WAREHOUSE, "
        "LAMBDA360_BATCH_S3_ENDPOINT and LAMBDA360_BATCH_S3_REGION; credentials are those of the environment "
        "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), of a profile, or of the machine's role"
    )


def is_refusal(text: str) -> bool:
    """Whether the text of an error, of the JVM's or of Arrow's, says that the object store did not do its part."""
    return any(sign in text for sign in _SIGNS) and not any(sign in text for sign in _NOT_THESE)


def _has_client(jar: Path) -> bool:
    try:
        with ZipFile(jar) as held:
            return _CLIENT in held.NameToInfo
    except (OSError, BadZipFile):
        return False
