"""API keys: how they are made, kept and recognized, and what a server without them does not do."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from common.errors import SettingsError
from common.settings import AccessSettings, ServingSettings, Settings
from infra.cli import run
from infra.commands.keys import keys as command
from serving_layer.access.keys import Caller, KeyRing, Scope, new_key
from serving_layer.access.policy import Policy, is_loopback
from tests.support.serving_fakes import NOW


def policy(host: str = "127.0.0.1", **access: object) -> Policy:
    settings = Settings(serving=ServingSettings(host=host), access=AccessSettings.model_validate(access))
    return Policy.of(settings, lambda: NOW)


@pytest.mark.parametrize("scope", ["read", "admin"])
def test_a_key_is_recognized_by_its_line_with_its_scope(scope: Scope) -> None:
    made, other = new_key(scope), new_key("read")
    ring = KeyRing.of(AccessSettings(keys=f"{other.line},{made.line}"))

    caller = ring.caller(made.key)

    assert caller == Caller(made.line.partition(":")[0], scope)
    assert len({made.key, other.key, made.line, other.line}) == 4


def test_the_line_does_not_hold_the_key() -> None:
    made = new_key("read")
    secret = made.key.split("_", maxsplit=2)[2]
    assert len(secret) == 43, "256 bits"
    assert secret not in made.line


def test_a_wrong_key_is_nobodys() -> None:
    made = new_key("admin")
    ring = KeyRing.of(AccessSettings(keys=made.line))
    id_ = made.line.partition(":")[0]
    wrong = [f"l360_{id_}_{'A' * 43}", new_key("admin").key, made.key[:-1], made.key + "A", made.line, "", "\udcff"]
    assert [ring.caller(each) for each in wrong] == [None] * len(wrong)


def test_the_hash_alone_opens_nothing() -> None:
    """Who reads the file of lines cannot ask by it."""
    made = new_key("read")
    digest = made.line.rpartition(":")[2]
    ring = KeyRing.of(AccessSettings(keys=made.line))
    assert ring.caller(digest) is None
    assert ring.caller(f"l360_{made.line[:8]}_{digest}") is None


def test_keys_come_from_a_file_with_comments_and_from_the_environment(tmp_path: Path) -> None:
    first, second, third = new_key("read"), new_key("admin"), new_key("read")
    file = tmp_path / "keys"
    file.write_text(f"# the shop\n{first.line}  # since May\n\n{second.line}\n", encoding="utf-8")

    ring = KeyRing.of(AccessSettings(keys_file=str(file), keys=f" {third.line}, {first.line} ,"))

    assert len(ring) == 3
    assert None not in [ring.caller(each.key) for each in (first, second, third)]


@pytest.mark.parametrize(
    "line",
    [
        "x",
        "12345678:read:abc",
        "12345678:write:" + "a" * 64,
        pytest.param(new_key("read").key, id="a key, not its line"),
    ],
)
def test_a_line_that_is_none_is_refused_and_not_shown(line: str) -> None:
    """It may be a key that somebody has put into the wrong place."""
    with pytest.raises(SettingsError) as refused:
        KeyRing.of(AccessSettings(keys=line))
    assert line not in str(refused.value)
    assert refused.value.field == "LAMBDA360_ACCESS_KEYS"


def test_two_lines_of_one_id_that_differ_are_refused() -> None:
    line = new_key("read").line
    with pytest.raises(SettingsError, match="one key"):
        KeyRing.of(AccessSettings(keys=f"{line},{line.replace(':read:', ':admin:')}"))


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="LAMBDA360_ACCESS_KEYS_FILE"):
        KeyRing.of(AccessSettings(keys_file=str(tmp_path / "none")))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.com"])  # noqa: S104 # what must be refused
def test_an_unauthorised_bind_is_refused(host: str) -> None:
    """Beyond loopback nobody is answered without a key, so a server without keys does not start."""
    with pytest.raises(SettingsError, match="needs at least one API key: make one by `lambda360 keys new`") as refused:
        policy(host)
    assert refused.value.field == "LAMBDA360_SERVING_HOST"
    assert policy(host, keys=new_key("read").line).key_needed


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_on_loopback_reading_needs_no_key_unless_the_setting_says_so(host: str) -> None:
    assert is_loopback(host)
    assert not policy(host).key_needed
    assert policy(host, require_key=True, keys=new_key("read").line).key_needed
    with pytest.raises(SettingsError, match="LAMBDA360_ACCESS_REQUIRE_KEY"):
        policy(host, require_key=True)


def test_serve_beyond_loopback_without_a_key_ends_with_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("LAMBDA360_HOME", str(tmp_path))
    monkeypatch.setenv("LAMBDA360_SERVING_HOST", "0.0.0.0")  # noqa: S104 # what must be refused

    assert run(["serve"]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: LAMBDA360_SERVING_HOST: '0.0.0.0': an address beyond this machine needs")


def test_keys_new_prints_a_key_and_its_line() -> None:
    result = CliRunner().invoke(command, ["new", "--scope", "admin"])

    (key_label, key), (line_label, line) = (each.split() for each in result.output.splitlines())
    assert (key_label, line_label) == ("key", "line")
    caller = KeyRing.of(AccessSettings(keys=line)).caller(key)
    assert caller is not None
    assert caller.scope == "admin"
