"""The tree is that of RFC 6962: by its published vectors, and beside another implementation."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from mcp_gateway.ledger import merkle

LEAVES = [
    merkle.leaf_hash(bytes.fromhex(entry))
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""What Certificate Transparency publishes of trees of one to eight of these leaves."""
PROOF_OF_THE_SIXTH = [
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]
ROOT = merkle.root_of(LEAVES)


@pytest.mark.requirement("ledger:the-tree-is-rfc-6962")
@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_that_are_published(size: int) -> None:
    assert merkle.root_of(LEAVES[:size]).hex() == ROOTS[size - 1]


@pytest.mark.requirement("ledger:the-tree-is-rfc-6962")
def test_a_proof_is_the_one_that_is_published() -> None:
    assert [node.hex() for node in merkle.inclusion_proof(LEAVES, 5)] == PROOF_OF_THE_SIXTH


def test_a_tree_without_leaves_has_the_hash_of_nothing() -> None:
    assert merkle.root_of([]) == merkle.Frontier().root() == merkle.EMPTY_ROOT


def test_a_copy_of_a_frontier_stays_as_it_is() -> None:
    frontier = merkle.Frontier()
    frontier.append(LEAVES[0])
    copy = frontier.copy()
    frontier.append(LEAVES[1])

    assert (copy.size, copy.root().hex()) == (1, ROOTS[0])
    assert (frontier.size, frontier.root().hex()) == (2, ROOTS[1])


@pytest.mark.parametrize("index", [-1, 8])
def test_what_is_not_in_the_tree_has_no_proof(index: int) -> None:
    with pytest.raises(IndexError):
        merkle.inclusion_proof(LEAVES, index)


@given(st.integers(1, 8), st.data())
def test_every_leaf_is_proved_and_nothing_else_is(size: int, data: st.DataObject) -> None:
    leaves, root = LEAVES[:size], merkle.root_of(LEAVES[:size])
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(leaves, index)

    assert merkle.included(leaves[index], index, size, proof, root)
    for other in set(range(-1, 10)) - {index}:
        assert not merkle.included(leaves[index], other, size, proof, root)
    assert not merkle.included(leaves[index], index, size, [*proof, root], root)
    assert not merkle.included(leaves[index], index, size, proof, merkle.EMPTY_ROOT)
    assert size == 1 or not merkle.included(leaves[index], index, size, proof[:-1], root)


def test_a_node_does_not_pass_for_a_leaf() -> None:
    node = merkle.node_hash(LEAVES[0], LEAVES[1])

    assert not merkle.included(merkle.leaf_hash(node), 0, 4, [], ROOT)
    assert merkle.leaf_hash(LEAVES[0] + LEAVES[1]) != node


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
