"""The version to release and its notes: python tools/release.py [--notes FILE]

Prints ``VERSION=…``; the notes are the version's part of CHANGELOG.md. Ends with exit code 1 and a line
where package, CHANGELOG.md and CITATION.cff do not name the same version and date.
"""

import argparse
import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def package_version(text: str) -> str:
    """``__version__`` in the text of the package's ``__init__.py``."""
    [version] = [
        ast.literal_eval(node.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
    ]
    return str(version)


def newest(changelog: str) -> tuple[str, str, str]:
    """Version, date and notes of the first entry ``## VERSION (DATE)``."""
    _, version, date, rest = re.split(r"^## (\S+) \((\S+)\)\n", changelog, maxsplit=1, flags=re.M)
    return version, date, rest.split("\n## ")[0].strip()


def cited(citation: str) -> tuple[str, str]:
    """Version and date in the text of ``CITATION.cff``."""
    fields = dict(re.findall(r"^(version|date-released): \"?([^\"\n]+)\"?$", citation, re.M))
    return fields.get("version", ""), fields.get("date-released", "")


def release(root: Path = ROOT) -> tuple[str, str]:
    """Version and notes of what is to be released.

    Raises:
        ValueError: if the files do not agree on version and date.
    """
    texts = [root / name for name in ("derainbench/__init__.py", "CHANGELOG.md", "CITATION.cff")]
    init, changelog, citation = (file.read_text("utf-8") for file in texts)
    version, date, notes = newest(changelog)
    if {version} != {package_version(init), cited(citation)[0]} or date != cited(citation)[1]:
        raise ValueError(
            f"package {package_version(init)}, CHANGELOG.md {version} ({date}), CITATION.cff "
            f"{' '.join(cited(citation))}: they must name one version and date"
        )
    return version, notes


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=Path, help="file for the notes")
    arguments = parser.parse_args()
    try:
        number, text = release()
    except ValueError as error:
        sys.exit(str(error))
    if arguments.notes:
        arguments.notes.write_text(text + "\n", encoding="utf-8")
    print(f"VERSION={number}")
