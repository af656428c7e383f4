"""Coverage-guided fuzzing of one reader: python tests/fuzzing/fuzz.py READER [libFuzzer options].

Atheris (https://github.com/google/atheris) changes inputs so that they reach new lines. It stops at
the first finding and keeps the input as ``crash-*`` in the working folder.
"""

import resource
import shutil
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))
LIMIT = 8 << 30  # bytes of address space

with atheris.instrument_imports(
    include=["derainbench", "PIL", "safetensors", "yaml", "tarfile", "zipfile"]
):
    from readers import READERS, read_all


def main() -> None:
    name, *options = sys.argv[1:]
    reader = READERS[name]
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    scratch = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    corpus = scratch / "corpus"
    corpus.mkdir()
    for i, seed in enumerate(reader.seeds):
        (corpus / str(i)).write_bytes(seed)
    folder = scratch / "input"

    def test_one_input(content: bytes) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        suffix = reader.suffixes[len(content) % len(reader.suffixes)]
        read_all(name, content, suffix, folder)

    atheris.Setup([sys.argv[0], str(corpus), *options], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
