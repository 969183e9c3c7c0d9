from policies.memo import Memo


def test_a_memo_is_bounded_and_always_takes_the_new_answer() -> None:
    memo: Memo[int, int] = Memo(3)
    for number in range(100):
        memo[number] = number
        assert memo[number] == number
        assert len(memo) <= 3
