"""A version stands in one place, and what repeats it agrees."""

import datetime
import sys
from importlib import metadata

import pytest
from helpers import ROOT

import derainbench

sys.path.append(str(ROOT / "tools"))
import release

FILES = ("derainbench/__init__.py", "CHANGELOG.md", "CITATION.cff")


def test_package_changelog_and_citation_name_one_version_and_date():
    version, notes = release.release()
    assert version == derainbench.__version__ == metadata.version("derainbench")
    assert len(notes) > 100
    citation = (ROOT / "CITATION.cff").read_text()
    date = datetime.date.fromisoformat(release.cited(citation)[1])
    assert date >= datetime.date(2026, 11, 26)
    assert "\nversion" not in (ROOT / "pyproject.toml").read_text().split("[project.")[0]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("derainbench/__init__.py", "0.1.0", "0.1.1"),
        ("CHANGELOG.md", "## 0.1.0 (", "## 0.2.0 (2027-01-01)\nNews.\n\n## 0.1.0 ("),
        ("CITATION.cff", "version: 0.1.0", "version: 0.0.9"),
        ("CITATION.cff", "2026-11-26", "2026-11-25"),
    ],
)
def test_a_release_whose_files_disagree_is_refused(tmp_path, name, before, after):
    for file in FILES:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        text = (ROOT / file).read_text().replace(derainbench.__version__, "0.1.0")
        _, date, _ = release.newest((ROOT / "CHANGELOG.md").read_text())
        text = text.replace(date, "2026-11-26")
        (tmp_path / file).write_text(text)
    assert release.release(tmp_path)[0] == "0.1.0"
    changed = tmp_path / name
    changed.write_text(changed.read_text().replace(before, after))
    with pytest.raises(ValueError, match="must name one version and date"):
        release.release(tmp_path)
