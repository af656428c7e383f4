"""The committed golden values are those of the shared folder, byte for byte."""

from helpers import GOLDEN


def test_copies_equal_the_originals(shared):
    files = [p.relative_to(GOLDEN) for p in GOLDEN.rglob("*") if p.is_file()]
    assert files
    for file in files:
        original = shared / "golden" / file
        assert (GOLDEN / file).read_bytes() == original.read_bytes(), file
