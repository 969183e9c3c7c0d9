"""`make demo-oauth`: the story, printed. Exit 1 when it does not end as it should.

Chromium is the browser where it and Playwright are installed, and else one that reads forms.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.demo import chromium
from tests.demo.browser import form_browser
from tests.demo.oauth import Opens, tell


def main() -> int:
    opens: Opens = form_browser
    if chromium.installed():
        opens = chromium.chromium
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        told = asyncio.run(tell(Path(folder), _print, opens))
    good = told.verified == 0 and not told.leaked and told.answer.startswith("the orders of ada")
    return 0 if good else 1


def _print(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
