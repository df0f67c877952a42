"""Processes: a pid that somebody else owns by now is never touched; a guard outlives its owner and cleans up."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from infra.local.stack.home import Home
from infra.local.stack.process import Process, read_pid_file, spawn, write_pid_file


def sleeper(folder: Path) -> Process:
    return spawn(["/bin/sleep", "60"], folder / "out", os.environ)


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_a_spawned_process_has_a_session_of_its_own_so_ctrl_c_does_not_reach_it(tmp_path: Path) -> None:
    process = sleeper(tmp_path)
    try:
        assert process.is_alive
        assert os.getsid(process.pid) == process.pid != os.getsid(0)
    finally:
        assert process.stop(5.0)
    assert not process.is_alive


def test_a_paused_process_stops_when_asked(tmp_path: Path) -> None:
    process = sleeper(tmp_path)
    process.send(signal.SIGSTOP)
    assert process.stop(5.0)


def test_a_process_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    code = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w'); time.sleep(60)"
    process = spawn([sys.executable, "-c", code], tmp_path / "out", os.environ)
    assert eventually(ready.exists)
    assert not process.stop(0.3)
    assert not process.is_alive


def test_a_record_whose_pid_belongs_to_somebody_else_now_is_dead_and_gets_no_signal(tmp_path: Path) -> None:
    me = Process.of(os.getpid())
    assert me is not None
    write_pid_file(tmp_path / "pid", Process(me.pid, "another boot/1"))

    recorded = read_pid_file(tmp_path / "pid")

    assert recorded is not None
    assert not recorded.is_alive
    assert not recorded.send(signal.SIGKILL)
    assert recorded.stop(1.0)


def test_a_process_whose_main_thread_has_ended_is_alive_while_another_one_runs(tmp_path: Path) -> None:
    """A server's other threads may still hold its ports and files."""
    go_on = tmp_path / "go on"
    code = (
        "import ctypes, pathlib, threading, time\n"
        "def run():\n"
        f"    while not pathlib.Path({str(go_on)!r}).exists(): time.sleep(0.01)\n"
        "threading.Thread(target=run).start()\n"
        "ctypes.CDLL(None).pthread_exit(None)\n"
    )
    process = spawn([sys.executable, "-c", code], tmp_path / "out", os.environ)
    try:
        assert eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
        assert process.is_alive
    finally:
        go_on.touch()

    assert process.wait(20.0)


def test_a_record_of_this_machine_names_its_boot_and_the_ticks_from_then_on() -> None:
    """The form is on disk, and servers that run are known by it over an upgrade."""
    me = Process.of(os.getpid())
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    ticks = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]

    assert me == Process(os.getpid(), f"{boot}/{ticks}")


def test_an_unreadable_record_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "pid").write_text("{half")
    assert read_pid_file(tmp_path / "pid") is None
    assert read_pid_file(tmp_path / "absent") is None


def test_a_killed_owner_leaves_no_server_no_command_and_no_folder_behind(tmp_path: Path) -> None:
    """A worker that a bench had left behind took part of the next ones' cores for an hour."""
    folder = tmp_path / "homes"
    home = Home(folder / "one")
    home.claim()
    process = sleeper(tmp_path)
    write_pid_file(home.run / "kafka.pid", process)
    told = {"LAMBDA360_HOME": str(folder / "one")}
    command = spawn(["/bin/sleep", "60"], tmp_path / "out", os.environ | told)
    other = spawn(["/bin/sleep", "60"], tmp_path / "out", os.environ | {"LAMBDA360_HOME": str(tmp_path / "another")})
    code = (
        "import time; from pathlib import Path; from tests.support import guard; "
        f"guard.start(Path({str(folder)!r})); print('on', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == b"on\n"
        owner.kill()
        owner.stdout.close()

    try:
        assert eventually(lambda: not (process.is_alive or command.is_alive or folder.exists()))
        assert other.is_alive
    finally:
        other.stop(1.0)
    process.wait(1.0)
    command.wait(1.0)
