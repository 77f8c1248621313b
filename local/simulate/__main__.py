"""`make simulate [SCENARIO=name]`: play scenarios and print their timelines."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from local.demo.display import make_console
from local.simulate.display import show, summarize
from local.simulate.play import play
from local.simulate.scenario import read


def main() -> int:
    """1 when something came out differently than a scenario expects, 2 for a wrong name."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m local.simulate")
    parser.add_argument("scenario", nargs="*", help="names of files in local/simulate/scenarios")
    arguments = parser.parse_args()
    try:
        scenarios = read(arguments.scenario)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    console = make_console()
    with tempfile.TemporaryDirectory(prefix="studypack-simulate-") as folder:
        all_played = play(scenarios, Path(folder))
    for played in all_played:
        show(console, played)
    summarize(console, all_played)
    wrong = sum(bool(played.differences) for played in all_played)
    console.print(f"{len(all_played) - wrong} as expected, {wrong} not")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
