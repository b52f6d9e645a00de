"""Rules of a record's fields; hostile records are in `hostile_records`."""

import pytest

from multistage.records import schema


@pytest.mark.parametrize(
    ("value", "accepted"),
    [("09af" * 16, True), ("g" * 64, False), ("AF" * 32, False), ("²" * 64, False), ("0" * 63, False), (0, False)],
    ids=str,
)
def test_a_digest_is_hexadecimal(value, accepted):
    assert schema.HEXADECIMAL.accepts(value) == accepted
