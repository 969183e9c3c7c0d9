"""Which scenarios a leg of a client runs."""

from tests.conformance.suite import of_revision

LISTED = """Client scenarios (test against a client):
  - initialize [2025-06-18,2025-11-25]
  - request-metadata [2026-07-28]
  - tools_call [2025-06-18,2025-11-25,2026-07-28]
  - auth/basic-cimd [2025-11-25,2026-07-28]
  - sep-2640-client-no-prefetch [extension]
"""


def test_a_leg_runs_what_is_of_its_revision_and_does_not_judge_an_oauth_client() -> None:
    assert list(of_revision(LISTED, "2025-11-25")) == ["initialize", "tools_call"]
    assert list(of_revision(LISTED, "2026-07-28")) == ["request-metadata", "tools_call"]
