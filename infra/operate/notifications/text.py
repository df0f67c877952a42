"""Notifications as text: a row of the list, a line, and an object for JSON."""

import json
from typing import Any

import msgspec

from common.servers.notifications import ALERTS, Notification
from infra.context import time_text


def details(notification: Notification) -> dict[str, object]:
    """Returns the notification for JSON."""
    return {
        "queue": notification.queue,
        "at": time_text(notification.at),
        "id": notification.id,
        "delivered_at": None if notification.delivered_at is None else time_text(notification.delivered_at),
        "failure": notification.failure or None,
        "body": json.loads(notification.body),
    }


def row_of(notification: Notification) -> tuple[str, ...]:
    """Returns one row of the list; what is pending says why, if it is known."""
    pending = f"no: {notification.failure}" if notification.failure else "no"
    delivered = pending if notification.delivered_at is None else time_text(notification.delivered_at)
    return (time_text(notification.at), notification.id, delivered, told(notification))


def told(notification: Notification) -> str:
    """Returns what the notification says, in a line."""
    found: Any = msgspec.json.decode(notification.body)
    data = found["data"]
    if notification.queue == ALERTS:
        return f"{data['alert']['rule']}: customer {found['subject']}"
    return f"{data['title']}: {data['message'].splitlines()[0]}"
