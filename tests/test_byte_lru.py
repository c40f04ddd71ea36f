"""Claims about the bounded store: it is bounded in entries and bytes, and drops what was used longest ago."""

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from gpt2.engine.byte_lru import ByteLRU

MAX_ENTRIES, MAX_BYTES = 4, 60
USES = st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.binary(max_size=80))), max_size=60)


@given(USES)
def test_it_holds_what_a_plain_list_of_uses_says_it_should(uses: list[tuple[int, bytes | None]]) -> None:
    """A use is a key and the value that is put, or None for a look at it."""
    store: ByteLRU[int, bytes] = ByteLRU(MAX_ENTRIES, MAX_BYTES, len)
    expected: OrderedDict[int, bytes] = OrderedDict()
    for key, value in uses:
        if value is None:
            assert store.get(key) is expected.get(key)
            if key in expected:
                expected.move_to_end(key)
        else:
            store.put(key, value)
            expected.pop(key, None)
            expected[key] = value
            while len(expected) > MAX_ENTRIES or sum(map(len, expected.values())) > MAX_BYTES:
                expected.popitem(last=False)
        assert len(store) == len(expected) <= MAX_ENTRIES
        assert store.nbytes == sum(map(len, expected.values())) <= MAX_BYTES
