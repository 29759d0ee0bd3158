"""``python -m torc_hpc.call FOLDER NUMBER``: a job that runs one call."""

from __future__ import annotations

import os
import sys


def main() -> int:
    from torc_hpc.exchange import run_call  # noqa: PLC0415

    folder, number = sys.argv[1:]
    has_returned = run_call(folder, int(number), f"{os.environ['TORC_RUN_ID']}.{os.environ['TORC_ATTEMPT_ID']}")
    return 0 if has_returned else 1


if __name__ == "__main__":
    sys.exit(main())
