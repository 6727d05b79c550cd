"""`make bench`: runs every benchmark (or those named) and writes bench/results/NAME.json."""

import importlib
import json
import sys
from pathlib import Path

NAMES = ("ingest", "relay", "idle", "slow", "kill9", "spool", "million", "scan", "guard", "seal")


def main() -> int:
    for name in sys.argv[1:] or NAMES:
        result = importlib.import_module(f"bench.{name}").run()
        path = Path(__file__).parent / "results" / f"{name}.json"
        path.write_text(json.dumps(result, indent=2) + "\n")
        print(json.dumps(result["results"], indent=2))
        print(f"written: {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
