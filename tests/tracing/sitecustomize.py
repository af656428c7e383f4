"""Put on PYTHONPATH, notes what a process of the command line imports and reads of the catalogue.

``DERAINBENCH_TRACES`` names the folder for the notes, a JSON file per process.
"""

import atexit
import json
import os
import sys
from pathlib import Path

PACKAGES = ("derainbench", "esdnet", "baselines")
_opened: set[str] = set()


def _see(event: str, arguments: tuple) -> None:
    in_catalog = event == "open" and isinstance(arguments[0], str) and "/catalog/" in arguments[0]
    if in_catalog and not _for_provenance():
        _opened.add(arguments[0])


def _for_provenance() -> bool:
    """Whether a file is read for the digest of all code that every provenance record has."""
    frame = sys._getframe(2)
    while frame:
        if frame.f_code.co_name == "code_version":
            return True
        frame = frame.f_back
    return False


def _note(folder: str) -> None:
    modules = [name for name in sys.modules if name.partition(".")[0] in PACKAGES]
    files = [name for name in _opened if not name.endswith((".py", ".pyc"))]
    content = {"arguments": sys.argv[1:], "modules": sorted(modules), "files": sorted(files)}
    content["torch"] = "torch" in sys.modules
    Path(folder, f"{os.getpid()}.json").write_text(json.dumps(content))


if folder := os.environ.get("DERAINBENCH_TRACES"):
    sys.addaudithook(_see)
    atexit.register(_note, folder)
