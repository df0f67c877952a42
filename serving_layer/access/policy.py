"""What a process demands of its callers, decided once from the settings."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from common.errors import SettingsError
from common.settings import Settings
from serving_layer.access.keys import KeyRing
from serving_layer.access.rate import Rate


@dataclass(frozen=True, slots=True)
class Policy:
    """Whom a process answers, and how often."""

    keys: KeyRing
    key_needed: bool
    """Whether a request that changes nothing needs a key, too."""
    hosts: frozenset[str]
    """The names that the header `Host` may have, in lower case; an IP address is always allowed."""
    origins: tuple[str, ...]
    """Origins whose pages may read answers."""
    rate: Rate | None
    max_body_bytes: int

    @classmethod
    def of(cls, settings: Settings, clock: Callable[[], int]) -> "Policy":
        """Returns the settings' policy; `clock` returns microseconds since the epoch, UTC.

        Raises SettingsError if a key is needed and none is known, and for keys that cannot be read.
        """
        access, host = settings.access, settings.serving.host
        keys = KeyRing.of(access)
        key_needed = access.require_key or not is_loopback(host)
        if key_needed and not keys:
            raise _without_keys(settings)
        return cls(
            keys=keys,
            key_needed=key_needed,
            hosts=frozenset({"localhost", *(name.lower() for name in _listed(access.hosts))}),
            origins=tuple(_listed(access.origins)),
            rate=Rate(access.rate_per_minute, clock) if access.rate_per_minute else None,
            max_body_bytes=access.max_body_bytes,
        )


def _listed(text: str) -> list[str]:
    return [name for each in text.split(",") if (name := each.strip())]


def is_loopback(host: str) -> bool:
    """Returns whether an address to listen on is reached from this machine alone. A name but `localhost` is not."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _without_keys(settings: Settings) -> SettingsError:
    remedy = "make one by `lambda360 keys new`, and put its line into the file that LAMBDA360_ACCESS_KEYS_FILE names"
    if settings.access.require_key:
        return SettingsError("LAMBDA360_ACCESS_REQUIRE_KEY", "True", f"needs at least one API key: {remedy}")
    rule = f"an address beyond this machine needs at least one API key: {remedy}"
    return SettingsError("LAMBDA360_SERVING_HOST", settings.serving.host, rule)
