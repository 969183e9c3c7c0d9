"""How an HTTP request fails.

HttpFailed
├── HttpTimedOut      no answer in time
├── TooLarge          the answer is larger than the caller takes
└── AddressRefused    the SSRF guard does not let the gateway connect there
"""


class HttpFailed(Exception):
    """The request got no usable answer. `sent`: whether any of it may have arrived."""

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class HttpTimedOut(HttpFailed):
    """No answer in time."""


class TooLarge(HttpFailed):
    """The answer is larger than the caller takes."""


class AddressRefused(HttpFailed):
    """The address is not one to connect to."""
