"""API keys: how one is made, the line that its holder's server keeps of it, and how a request's key is recognized.

A key is `l360_ID_SECRET`. The secret has 256 random bits, so its plain SHA-256 cannot be searched, and recognizing a
key costs microseconds. A slow hash is for passwords, which people choose; here it would let anybody who sends wrong
keys keep the process busy.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from common.errors import SettingsError
from common.settings import AccessSettings

Scope = Literal["read", "admin"]
"""What a key allows: to ask, or also to change something."""
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
LINE_RULE: Final = "ID:SCOPE:HASH, as `lambda360 keys new` prints it"
_LINE: Final = re.compile(r"([0-9a-z]{8}):(read|admin):([0-9a-f]{64})")
_KEY: Final = re.compile(r"l360_([0-9a-z]{8})_[A-Za-z0-9_-]{43}")
_NOBODY: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: the id of the key, which may be shown and logged, and its scope."""

    id: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key, which its holder gets once, and the line that recognizes it."""

    key: str
    line: str


def new_key(scope: Scope) -> NewKey:
    """Returns a random key of that scope."""
    id_ = secrets.token_hex(4)
    key = f"l360_{id_}_{secrets.token_urlsafe(32)}"
    return NewKey(key, f"{id_}:{scope}:{_hash(key)}")


class KeyRing:
    """The keys that a process knows, by their hashes."""

    def __init__(self, known: Mapping[str, tuple[Scope, str]]) -> None:
        """`known` has scope and hash by key id."""
        self._known = known

    def __len__(self) -> int:
        return len(self._known)

    @classmethod
    def of(cls, settings: AccessSettings) -> "KeyRing":
        """Returns the keys of the file and of the setting. Raises SettingsError for a line that is none."""
        known: dict[str, tuple[Scope, str]] = {}
        for variable, line in _lines(settings):
            found = _LINE.fullmatch(line)
            if found is None:
                raise SettingsError(variable, "a line that is not shown", LINE_RULE)
            id_, scope, digest = found[1], found[2], found[3]
            if known.get(id_, (scope, digest)) != (scope, digest):
                raise SettingsError(variable, id_, "the id of one key; two lines with it differ")
            known[id_] = ("admin" if scope == "admin" else "read", digest)
        return cls(known)

    def caller(self, key: str) -> Caller | None:
        """Returns whose key it is; None if it is nobody's."""
        found = _KEY.fullmatch(key)
        id_ = found[1] if found else ""
        scope, digest = self._known.get(id_, ("read", _NOBODY))
        # An unknown id is compared, too: how long a refusal takes tells nothing but whether the id exists.
        return Caller(id_, scope) if hmac.compare_digest(_hash(key), digest) else None


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _lines(settings: AccessSettings) -> Iterable[tuple[str, str]]:
    """Yields the settings' lines, each with the variable that it comes from. `#` begins a comment in the file."""
    if settings.keys_file:
        variable = "LAMBDA360_ACCESS_KEYS_FILE"
        try:
            text = Path(settings.keys_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(variable, settings.keys_file, f"a text file of lines {LINE_RULE}: {error}") from error
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        yield from ((variable, line) for line in lines if line)
    yield from (("LAMBDA360_ACCESS_KEYS", line) for each in settings.keys.split(",") if (line := each.strip()))
