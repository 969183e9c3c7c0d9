"""Which scenarios a leg of a client runs."""

from tests.conformance.suite import of_revision

LISTED = """Client scenarios (test against a client):
  - initialize [2025-06-18,2025-11-25]
  - request-metadata [2026-07-28]
  - tools_call [2025-06-18,2025-11-25,2026-07-28]
  - auth/basic-cimd [2025-11-25,2026-07-28]
  - auth/client-credentials-jwt [extension]
  - auth/dpop [extension]
  - sep-2640-client-no-prefetch [extension]
"""


def test_a_leg_runs_what_is_of_its_revision() -> None:
    old, new = "2025-11-25", "2026-07-28"

    assert list(of_revision(LISTED, old, oauth=False)) == ["initialize", "tools_call"]
    assert list(of_revision(LISTED, new, oauth=False)) == ["request-metadata", "tools_call"]
    assert list(of_revision(LISTED, new, oauth=True)) == ["auth/basic-cimd"]
    assert list(of_revision(LISTED, "extension", oauth=True)) == ["auth/client-credentials-jwt"]
