"""Foreign bytes end in a result or in one line, whatever they are; `make fuzz` tries far more."""

import tempfile
from pathlib import Path

import pytest
from fuzzing.readers import READERS, read_all
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@st.composite
def damaged(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A valid file, cut, changed in places, repeated, or mixed with another one; or noise."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=2000))
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        match draw(st.sampled_from(["set", "cut", "insert", "remove", "splice"])):
            case "set" if content:
                content[place] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x7B, 0x3A]))
            case "cut":
                del content[place:]
            case "insert":
                content[place:place] = draw(st.binary(min_size=1, max_size=40))
            case "remove":
                del content[place : place + draw(st.integers(1, 40))]
            case "splice":
                other = draw(st.sampled_from(seeds))
                content[place : place + 64] = other[place : place + 64]
    return bytes(content)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_of_foreign_bytes_gives_a_result_or_one_line(name):
    reader = READERS[name]

    @settings(
        max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(damaged(reader.seeds), st.sampled_from(reader.suffixes))
    def tried(content: bytes, suffix: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            read_all(name, content, suffix, Path(folder))

    tried()


@pytest.mark.parametrize("name", READERS)
def test_the_files_that_fuzzing_starts_from_are_valid(name, tmp_path):
    reader = READERS[name]
    if name in ("weights", "table", "json", "configuration", "card", "assignment"):
        for i, seed in enumerate(reader.seeds):
            file = tmp_path / f"{i}{reader.suffixes[-1 if name == 'weights' and i else 0]}"
            file.write_bytes(seed)
            reader.read(file, tmp_path / "out")
    assert len(reader.seeds) >= 1 and all(reader.seeds)
