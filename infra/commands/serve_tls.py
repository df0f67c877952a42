"""The two files by which `lambda360 serve` answers by https."""

import ssl
from typing import NamedTuple

from common.errors import UsageError


class Tls(NamedTuple):
    """The files of a server's certificate chain and of its private key, in PEM."""

    certificate: str
    key: str


def tls_of(certificate: str | None, key: str | None) -> Tls | None:
    """Returns the two files, or None without any. Raises UsageError unless they are a certificate and its key."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        missing, given = ("--tls-cert", key) if certificate is None else ("--tls-key", certificate)
        raise UsageError(missing, "", f"it is needed beside {given}: a certificate and its private key")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, _no_password)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise UsageError(
            "--tls-cert", certificate, f"a certificate that {key} is the private key of: {error}"
        ) from error
    return Tls(certificate, key)


def _no_password() -> str:
    """Refuses an encrypted key, instead of asking at the terminal."""
    raise ValueError("the key is encrypted")
