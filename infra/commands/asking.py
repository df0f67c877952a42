"""What `get` and `explain` share: they ask the running API, and print its errors as the other commands do."""

import json
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import click

from common.errors import Lambda360Error, Unavailable, UsageError
from infra.context import DAY, settings_of

if TYPE_CHECKING:
    from datetime import datetime

    from common.settings import ServingSettings

Draw = Callable[[Mapping[str, Any]], None]
"""Prints an answer of the API as people read it."""
TIMEOUT_SECONDS: Final = 15.0
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 # nothing is bound here: it is what a server may be
"""Addresses that a server listens on and nobody can ask, and where it is asked on this machine instead."""


class ApiUnavailable(Unavailable):
    """The API does not answer, or answers that it cannot now."""

    server = "api"


class ApiRefused(Lambda360Error):
    """The API answered with an error."""


def asks_about_customer(part: str) -> Callable[[Draw], Any]:
    """Makes a command's callback of what draws the API's answer: it asks for this part, or prints it as JSON."""

    def callback_of(draw: Draw) -> Any:
        @click.argument("customer", metavar="CUSTOMER")
        @click.option("--as-of", type=DAY, help="A day, YYYY-MM-DD.  [default: today, UTC]")
        @click.option("--json", "as_json", is_flag=True, help="Print the API's answer as one JSON object.")
        @click.option("--url", metavar="URL", help="The API.  [default: that of the settings, on this machine]")
        @click.option(
            "--key-file",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="File that holds the API key, where the API needs one.",
        )
        @click.pass_context
        @wraps(draw)
        def callback(
            context: click.Context,
            customer: str,
            *,
            as_of: "datetime | None",
            as_json: bool,
            url: str | None,
            key_file: Path | None,
        ) -> None:
            found = answer(context, customer, part, url=url, key_file=key_file, as_of=as_of)
            if as_json:
                click.echo(json.dumps(found))
            else:
                draw(found)

        return callback

    return callback_of


def answer(
    context: click.Context,
    customer: str,
    part: str,
    *,
    url: str | None,
    key_file: Path | None,
    as_of: "datetime | None",
) -> dict[str, Any]:
    """Returns the API's answer about a customer. Raises ApiUnavailable, ApiRefused, or UsageError for a wrong input."""
    import httpx

    base = url or default_url(settings_of(context).serving)
    # A dot alone would be taken for a part of the path.
    path = f"/v1/customers/{quote(customer, safe='').replace('.', '%2E')}/{part}"
    query = {} if as_of is None else {"as_of": as_of.date().isoformat()}
    headers = {} if key_file is None else {"X-API-Key": key_file.read_text(encoding="utf-8").strip()}
    try:
        with httpx.Client(base_url=base, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            response = client.get(path, params=query, headers=headers)
            body = response.json()
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise UsageError("--url", base, f"http://HOST:PORT: {error}") from error
    except httpx.TransportError as error:
        raise ApiUnavailable(f"the API at {base} does not answer; `lambda360 serve` runs it: {error}") from error
    except ValueError as error:
        raise ApiRefused(f"what answers at {base} is not this API") from error
    if response.status_code == httpx.codes.OK:
        found: dict[str, Any] = body
        return found
    raise _refused(response.status_code, body if isinstance(body, dict) else {}, base)


def default_url(settings: "ServingSettings") -> str:
    """Returns the URL of the API that these settings run."""
    host = _ANYWHERE.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _refused(status: int, problem: Mapping[str, Any], base: str) -> Lambda360Error:
    """Returns the error that an answer of this status and body is."""
    if problem.get("field") in ("customer_id", "as_of"):
        option = {"customer_id": "CUSTOMER", "as_of": "--as-of"}[problem["field"]]
        return UsageError(option, problem.get("value"), str(problem.get("rule")))
    detail = problem.get("detail") or f"{base} answered with status {status}"
    return ApiUnavailable(str(detail)) if status in (429, 503) else ApiRefused(str(detail))


def head(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the lines above the figures: who, as of when, how exact, by which batch and deltas."""
    said = found["provenance"]
    log = said["log"]
    batch = said["batch"]
    profile = {name: value for name, value in (found["profile"] or {}).items() if value is not None}
    lines = [
        ("customer", found["customer_id"]),
        ("as of", found["as_of"]),
        ("status", f"{said['status']}, complete below offset {log['next_offset']} of partition {log['partition']}"),
        *(("because", reason) for reason in said["reasons"]),
        ("batch", "none yet" if batch is None else f"{batch['id']}, published at {batch['published_at']}"),
        ("deltas", str(said["speed"]["deltas"])),
    ]
    return [*lines, ("profile", ", ".join(f"{name} {value}" for name, value in profile.items()))] if profile else lines


def text(value: object) -> str:
    """Returns a value of an answer as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
