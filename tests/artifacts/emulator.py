"""AWS's runtime emulator around one artifact: the program that Lambda's own images start."""

from __future__ import annotations

import http.client
import json
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import template as sam

STARTUP_SECONDS = 20
CALL_SECONDS = 60
TRIES = 3


class FunctionFailed(Exception):
    """The runtime could not load the handler, or the handler raised; with the emulator's log."""


class EmulatorFailed(Exception):
    """The emulator itself did not start."""


def binary() -> Path:
    """The emulator for this machine, from the SAM CLI's wheel."""
    machine = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
    pattern = f".tools/sam/lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"
    found = sorted(sam.ROOT.glob(pattern))
    if not found:
        raise EmulatorFailed("the SAM CLI is not there: use make artifacts-test")
    return found[-1]


@dataclass
class Emulator:
    """A running emulator; it starts the function's process at the first call."""

    process: subprocess.Popen[bytes]
    port: int
    log_file: Path

    def call(self, event: Any) -> Any:
        """Invoke the function.

        Raises FunctionFailed with what the runtime says.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=CALL_SECONDS)
        try:
            path = "/2015-03-31/functions/function/invocations"
            connection.request("POST", path, body=json.dumps(event))
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        try:
            returned = json.loads(body)
        except ValueError:
            returned = {"errorType": "NoJson", "errorMessage": body.decode(errors="replace")}
        failed = isinstance(returned, dict) and "errorType" in returned
        if answer.status != 200 or failed:
            raise FunctionFailed(f"{answer.status} {returned}\n{self.log}")
        return returned

    @property
    def log(self) -> str:
        """What the emulator and the function have written."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    @property
    def init_milliseconds(self) -> float:
        """From the start of the function's process to its first request for work."""
        return float(re.findall(r"INIT REPORT\(durationMs: ([\d.]+)\)", self.log)[0])

    @property
    def call_milliseconds(self) -> list[float]:
        """Each call's duration in the function, the first one's first."""
        return [float(each) for each in re.findall(r"RTDONE\(.*duration: ([\d.]+)ms\)", self.log)]

    @property
    def warm_milliseconds(self) -> float:
        """The median of the calls after the first."""
        return statistics.median(self.call_milliseconds[1:])

    @property
    def peak_megabytes(self) -> float:
        """The most memory that the function's process has had (the emulator's report invents)."""
        peaks = [
            int(line.split()[1])
            for child in self._children()
            for line in Path(f"/proc/{child}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        ]
        return max(peaks) / 1000

    def _children(self) -> list[int]:
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]

    def stop(self) -> None:
        """End the emulator and the function's process, whatever state they are in."""
        children = self._children() if self.process.poll() is None else []
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


@contextmanager
def running(
    artifact: Path,
    handler: str,
    *,
    python: Path,
    path: tuple[Path, ...],
    variables: Mapping[str, str],
    log_file: Path,
) -> Iterator[Emulator]:
    """Emulate Lambda for one artifact, with this import path behind the artifact itself."""
    environment = {
        "PATH": os.environ["PATH"],
        "LAMBDA_TASK_ROOT": str(artifact),
        "PYTHONPATH": os.pathsep.join(map(str, (artifact, *path))),
        "PYTHONDONTWRITEBYTECODE": "1",  # /var/task and /opt are read-only
        "AWS_REGION": "eu-central-1",
        **variables,
    }
    for _ in range(TRIES):
        started = _start(
            artifact, [str(python), "-m", "awslambdaric", handler], environment, log_file
        )
        if started is not None:
            break
    else:
        raise EmulatorFailed(f"no free ports, or it does not run: {log_file.read_text()}")
    try:
        yield started
    finally:
        started.stop()


def _start(
    artifact: Path, runtime: list[str], environment: Mapping[str, str], log_file: Path
) -> Emulator | None:
    """Start on two free ports; None if it ended at once, as when somebody else took one."""
    port, api_port = _free_ports(2)
    addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    addresses += ["--runtime-api-address", f"127.0.0.1:{api_port}"]
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [binary(), *addresses, *runtime],
            cwd=artifact,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    emulator = Emulator(process, port, log_file)
    try:
        for _ in range(STARTUP_SECONDS * 50):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return emulator
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.02)
                return None
    except BaseException:
        emulator.stop()
        raise
    emulator.stop()
    return None


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
