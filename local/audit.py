"""Ask for published advisories on the locked dependencies, through pip-audit; `make check` does.

A machine that cannot reach them is told so in one line and passes: a known hole fails, a missing
network does not. pip-audit itself calls packages "not found" there and ends well, which would read
as if they had been looked at.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "requirements.lock"
SECONDS = 120


def main(tool: str) -> int:
    """Run the tool and judge its report; 1 when a dependency has a known vulnerability."""
    if not Path(tool).is_file():
        return _unreachable("pip-audit could not be installed")
    command = [tool, "--disable-pip", "--require-hashes", "--requirement", str(LOCK)]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "5"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        report = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return _unreachable("pip-audit brought no report")
    return judge(report)


def judge(report: dict[str, Any]) -> int:
    """Print what pip-audit found, or that it could look at nothing; the exit code."""
    dependencies = report["dependencies"]
    audited = [each for each in dependencies if "skip_reason" not in each]
    if not audited:
        return _unreachable(f"none of {len(dependencies)} dependencies was found")
    found = [(each, hole) for each in audited for hole in each["vulns"]]
    for each, hole in found:
        mended = ", ".join(hole["fix_versions"]) or "no version yet"
        print(f"{each['name']} {each['version']}: {hole['id']}, mended in {mended}")
    skipped = len(dependencies) - len(audited)
    print(
        f"advisories: {len(audited)} dependencies looked at, {skipped} not found, "
        f"{len(found)} known vulnerabilities"
    )
    return 1 if found else 0


def _unreachable(why: str) -> int:
    print(f"advisories: NOT checked, they cannot be reached from here ({why})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
