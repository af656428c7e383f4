"""A folder of results as one file: what is in it, and what it says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from derainbench.archive.contents import archived_files, read_config
from derainbench.archive.crate import METADATA, WORKFLOW, About, authors_of, metadata
from derainbench.archive.packing import pack
from derainbench.config.schema import Config
from derainbench.foundation import provenance
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import digest_of
from derainbench.foundation.frames import markdown_text
from derainbench.foundation.packages import ROOT
from derainbench.foundation.settings import read_yaml

# Of the checkout: what ran, in which environment, and under which licence.
_BESIDE = (WORKFLOW, "LICENSE", "CITATION.cff", "environment.yml", "requirements.lock")
_WORKFLOW = ("workflow/rules/*.smk", "workflow/report/*.rst")

_README = """# {title}

Results of the configuration `{name}` of derainbench, {version}: scores, operation counts, training
histories, tables, figures, verdicts, and the record of how each was made. Images of data sets are left
out, and with them the page; everything else can be computed from here, without data and training:

    derainbench replay THIS.zip --out replayed      # and held to what is here, number by number

`ro-crate-metadata.json` describes all of it as a Workflow Run RO-Crate.
"""


def write_archive(folder: Path, out: Path) -> str:
    """Writes a folder of results as a Workflow Run RO-Crate, one zip file, and a record beside it.

    The same results give the same bytes.

    Args:
        folder: the results, ``results/NAME``.
        out: the zip file.

    Returns:
        What was written, in a line.

    Raises:
        BenchError: if the folder holds no results, or this is no checkout with a workflow.
    """
    config = read_config(folder)
    names = archived_files(folder, config)
    files = {f"{config.results}/{name}": folder / name for name in names}
    files |= {file.relative_to(ROOT).as_posix(): file for file in _beside()}
    citation = read_yaml(ROOT / "CITATION.cff")
    about = _about(config, citation)
    texts = {"README.md": _readme(config, about)}
    texts |= {METADATA: metadata(about, files, texts, config.results)}
    pack({**files, **texts}, out)
    digest = digest_of((folder / name for name in names), folder)
    provenance.write_record(out, inputs={config.results: digest})
    return f"{out}: {len(files)} files, {out.stat().st_size / 1e6:.1f} MB"


def _beside() -> list[Path]:
    found = [file for pattern in _WORKFLOW for file in sorted(ROOT.glob(pattern))]
    for name in _BESIDE:
        if not (ROOT / name).is_file():
            raise BenchError(f"{ROOT / name}: missing; an archive is made in a checkout")
        found.append(ROOT / name)
    return found


def _about(config: Config, citation: dict[str, Any]) -> About:
    return About(
        name=config.title or config.name,
        description=(
            f"Results of the configuration '{config.name}' ({config.label}) of "
            f"{citation['title']}. Images of data sets are left out."
        ),
        licence=str(citation["license"]),
        authors=authors_of(citation),
        version=str(citation["version"]),
        url=str(citation.get("repository-code") or citation.get("url") or ""),
    )


def _readme(config: Config, about: About) -> str:
    return _README.format(title=markdown_text(about.name), name=config.name, version=about.version)
