"""Plain: what strangers wrote, with nothing that moves a terminal or begins another line."""


def plain(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
