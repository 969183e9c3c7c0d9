"""The upstream of the conformance runs: `python -m tests.conformance.upstream PORT VARIANT`.

It serves what every scenario of the suite asks a server for, in both eras (`dual`) or in one of
them alone (`legacy`, `modern`), with the extensions for tasks and skills.
"""

import argparse
import warnings
from typing import get_args

import uvicorn

from tests.conformance.upstream.server import Variant, application


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.upstream")
    parser.add_argument("port", type=int)
    parser.add_argument("variant", choices=get_args(Variant), nargs="?", default="dual")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # logging, sampling and roots are deprecated, and wanted here
    app = application(asked.variant)
    # httptools leaves the blanks behind a value, which are no part of it (RFC 9110, section 5.5)
    uvicorn.run(app, host="127.0.0.1", port=asked.port, http="h11", log_level="warning")


if __name__ == "__main__":
    main()
