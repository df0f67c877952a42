"""Tells which loopback ports are taken, and by which process."""

import socket
from contextlib import closing, suppress

import psutil


def is_free(port: int) -> bool:
    """Returns whether a server could listen on this port of 127.0.0.1 now."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def is_open(port: int) -> bool:
    """Returns whether a server accepts connections on this port of 127.0.0.1."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


def owner(port: int) -> str:
    """Returns who listens on `port`: `pid 123 (java …)`, or `an unknown process` if that cannot be seen."""
    for found in psutil.net_connections("tcp"):
        if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid:
            with suppress(psutil.Error):
                return f"pid {found.pid} ({' '.join(psutil.Process(found.pid).cmdline())[:60]})"
    return "an unknown process"
