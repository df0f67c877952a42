"""What one connection may take of a process, from the settings."""

from dataclasses import dataclass

from common.settings import AccessSettings


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may take: bytes and seconds."""

    url_bytes: int
    header_bytes: int
    connections: int
    header_seconds: float
    body_seconds: float
    write_seconds: float

    @classmethod
    def of(cls, settings: AccessSettings) -> "Limits":
        return cls(
            url_bytes=settings.max_url_bytes,
            header_bytes=settings.max_header_bytes,
            connections=settings.max_connections,
            header_seconds=settings.header_seconds,
            body_seconds=settings.body_seconds,
            write_seconds=settings.write_seconds,
        )
