"""`make demo-oauth`: the story, printed. Exit 1 when it does not end as it should."""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.demo.oauth import tell


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        told = asyncio.run(tell(Path(folder), lambda line: print(line, flush=True)))
    good = told.verified == 0 and not told.leaked and told.answer.startswith("the orders of ada")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
