"""The tree agrees with another implementation of RFC 6962."""

from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from mcp_gateway.ledger import merkle


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=70), st.data())
@settings(max_examples=60, deadline=None)
def test_roots_and_inclusion_proofs_agree_with_an_independent_tree(
    entries: list[bytes], data: st.DataObject
) -> None:
    other = InmemoryTree(algorithm="sha256")
    for entry in entries:
        other.append_entry(entry)
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    index = data.draw(st.integers(0, len(leaves) - 1))
    root = merkle.root_of(leaves)
    proof = merkle.inclusion_proof(leaves, index)

    assert root == other.get_root(len(leaves))
    assert merkle.included(leaves[index], index, len(leaves), proof, root)
    assert not merkle.included(merkle.leaf_hash(b"other"), index, len(leaves), proof, root)
