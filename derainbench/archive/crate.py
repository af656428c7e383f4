"""What an archive says of itself: a Workflow Run RO-Crate.

The profile (https://w3id.org/ro/wfrun/workflow/0.5) wants the workflow as main entity, an action that
ran it, and one for every step with instrument, what went in and what came out: the provenance records
say all that. Everything has an identifier of its own and a place in the order of names, so that the
same results give the same text.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from derainbench.archive.contents import record_of
from derainbench.foundation.files import RECORD_SUFFIX, json_text, sha256

METADATA = "ro-crate-metadata.json"
WORKFLOW = "Snakefile"
# Terms beyond the context of RO-Crate 1.1.
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
# (identifier, name, version) of the profiles that a crate conforms to.
PROFILES = (
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
)
# What the description of the workflow itself follows.
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
# What Python does not know on every system; the rest it does.
_FORMATS = {
    ".md": "text/markdown",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".tex": "application/x-tex",
    ".smk": "text/plain",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".cff": "application/yaml",
    ".safetensors": "application/octet-stream",
}
_PLAIN = "text/plain"


@dataclass(frozen=True)
class About:
    """Who and what a crate is about.

    Attributes:
        name: of the results.
        description: in a sentence or two.
        licence: SPDX identifier.
        authors: (name, ORCID or nothing), and whether it is a person.
        version: of the benchmark.
        url: where it lives; nothing where that is not known.
    """

    name: str
    description: str
    licence: str
    authors: tuple[tuple[str, str, bool], ...]
    version: str
    url: str = ""


def metadata(
    about: About, files: Mapping[str, Path], texts: Mapping[str, str], results: str
) -> str:
    """The text of ``ro-crate-metadata.json``.

    Args:
        about: who and what.
        files: by their names in the crate.
        texts: further files that are made for the crate, likewise.
        results: folder of the results in the crate, such as ``results/smoke``; its records become
            actions.
    """
    crate = _Crate(about, files, texts, results)
    return crate.text()


class _Crate:
    def __init__(
        self, about: About, files: Mapping[str, Path], texts: Mapping[str, str], results: str
    ) -> None:
        self.about, self.files, self.results = about, files, results
        self.crate = ROCrate(version="1.1")
        self.crate.metadata.extra_terms.update(TERMS)
        self.digests = {name: sha256(file) for name, file in files.items()}
        self.records = [
            (name, record_of(files[name]))
            for name in sorted(files)
            if name.startswith(f"{results}/") and name.endswith(RECORD_SUFFIX)
        ]
        self._root()
        for name, file in sorted(files.items()):
            self._file(name, file.stat().st_size, self.digests[name])
        for name, text in sorted(texts.items()):
            self._file(name, len(text.encode()))
        self._workflow()
        actions = [self._action(name, record) for name, record in self.records]
        self.crate.root_dataset["mentions"] = [self._run(), *actions]

    def text(self) -> str:
        """The metadata as JSON, entities in the order of their identifiers."""
        content = self.crate.metadata.generate()
        content["@graph"] = [
            {key: _single(value) for key, value in sorted(entity.items())}
            for entity in sorted(content["@graph"], key=lambda e: (e["@id"] != METADATA, e["@id"]))
        ]
        return json_text(content, indent=1) + "\n"

    def _add(self, identifier: str, kind: str | list[str], **facts: Any) -> ContextEntity:
        """An entity that is no file; the same one for the same identifier."""
        known = self.crate.dereference(identifier)
        if known is not None:
            return known
        properties = {"@type": kind} | {k: v for k, v in facts.items() if v not in (None, "", [])}
        return self.crate.add(ContextEntity(self.crate, identifier, properties=properties))

    def _root(self) -> None:
        root = self.crate.root_dataset
        root["name"], root["description"] = self.about.name, self.about.description
        root["datePublished"] = self._times()[-1]
        root["license"] = self._licence()
        root["author"] = self._authors()
        root["publisher"] = [a for a in self._authors() if a.type == "Organization"]
        root["conformsTo"] = [
            self._add(identifier, "CreativeWork", name=name, version=version)
            for identifier, name, version in PROFILES
        ]

    def _times(self) -> list[str]:
        times = sorted(str(record["time"]) for _, record in self.records if "time" in record)
        return times or ["1970-01-01T00:00:00+00:00"]

    def _licence(self) -> ContextEntity:
        spdx = self.about.licence
        return self._add(
            f"https://spdx.org/licenses/{spdx}",
            "CreativeWork",
            name=spdx,
            description=f"SPDX licence {spdx}: of code and results; data sets have their own.",
        )

    def _authors(self) -> list[ContextEntity]:
        return [
            self._add(orcid or f"#author-{i}", "Person" if person else "Organization", name=name)
            for i, (name, orcid, person) in enumerate(self.about.authors)
        ]

    def _file(self, name: str, size: int, digest: str | None = None) -> None:
        suffix = Path(name).suffix
        kind = _FORMATS.get(suffix) or mimetypes.guess_type(name)[0] or _PLAIN
        facts: dict[str, Any] = {"name": name, "contentSize": str(size), "encodingFormat": kind}
        facts |= {"sha256": digest} if digest else {}
        if name == WORKFLOW:
            self.crate.add_workflow(
                dest_path=name, main=True, lang="snakemake", gen_cwl=False, properties=facts
            )
            return
        facts |= {"about": {"@id": "./"}} if name == "README.md" else {}
        self.crate.add_file(dest_path=name, properties=facts)

    def _workflow(self) -> None:
        workflow = self.crate.mainEntity
        workflow["name"] = self.about.name
        workflow["version"] = self.about.version
        workflow["conformsTo"] = {"@id": BIOSCHEMAS}
        workflow["license"], workflow["author"] = self._licence(), self._authors()
        parts = [name for name in self.files if name.startswith("workflow/")]
        workflow["hasPart"] = [{"@id": name} for name in sorted(parts)]
        configuration = self._add(
            "#configuration",
            "FormalParameter",
            name="configuration",
            additionalType="File",
            description="What is run: data sets, networks, trainings.",
            workExample={"@id": self._configuration()},
        )
        workflow["input"] = [configuration]
        self.crate.dereference(self._configuration())["exampleOfWork"] = configuration

    def _configuration(self) -> str:
        return f"{self.results}/config.json"

    def _run(self) -> ContextEntity:
        """The whole run: from the configuration to what people look at."""
        ends = [f"{self.results}/{name}" for name in ("audit/", "tables/", "papers/", "figures/")]
        shown = [n for n in sorted(self.files) if n.startswith(tuple(ends))]
        return self._add(
            "#run",
            "CreateAction",
            name=f"Run of {self.about.name}",
            description="Data, trained networks, scores and counts, then tables, figures, verdicts.",
            instrument=self.crate.mainEntity,
            object=[{"@id": self._configuration()}],
            result=[{"@id": name} for name in shown if not name.endswith(RECORD_SUFFIX)],
            startTime=self._times()[0],
            endTime=self._times()[-1],
            agent=self._authors()[0] if self.about.authors else None,
            actionStatus="http://schema.org/CompletedActionStatus",
        )

    def _action(self, name: str, record: dict[str, Any]) -> ContextEntity:
        """One step, from its provenance record."""
        stem = name.removesuffix(RECORD_SUFFIX)
        folder = stem.rpartition("/")[0]
        inputs = record.get("inputs") or {}
        outputs = {f"{folder}/{n}": d for n, d in (record.get("outputs") or {stem: ""}).items()}
        if not record.get("outputs"):  # of an older version, which knows its stem alone
            outputs = {stem: self.digests.get(stem, "")}
        made = [self._thing(n, n, d) for n, d in sorted(outputs.items())]
        return self._add(
            f"#{stem.removeprefix(f'{self.results}/')}",
            "CreateAction",
            name=f"{stem.removeprefix(f'{self.results}/')}",
            description=str(record.get("command", "")),
            instrument=self._software(record),
            object=[self._thing(f"{self.results}/{n}", n, d) for n, d in sorted(inputs.items())],
            result=made,
            endTime=record.get("time"),
            agent=self._authors()[0] if self.about.authors else None,
            subjectOf={"@id": name},
            actionStatus="http://schema.org/CompletedActionStatus",
        )

    def _thing(self, place: str, name: str, digest: str) -> Any:
        """A file of the crate, if it is that very one; else its name and digest."""
        if place in self.digests and digest in ("", self.digests[place]):
            return {"@id": place}
        return self._add(
            f"#sha256-{digest[:16]}-{name.replace(' ', '-')}",
            "PropertyValue",
            name=name,
            propertyID="SHA-256",
            value=str(digest),
        )

    def _software(self, record: dict[str, Any]) -> ContextEntity:
        """The benchmark in the version of a record, with the libraries that it ran on."""
        code = record.get("code") or {}
        source = str(code.get("source_sha256", ""))
        identifier = f"#derainbench-{source[:16]}" if source else "#derainbench"
        commit = code.get("commit")
        state = f"commit {commit}, " if commit else "no commit, "
        libraries = [
            self._add(
                f"https://pypi.org/project/{package}/{version}/",
                "SoftwareApplication",
                name=package,
                softwareVersion=str(version),
                url=f"https://pypi.org/project/{package}/{version}/",
            )
            for package, version in sorted((record.get("packages") or {}).items())
        ]
        return self._add(
            identifier,
            "SoftwareApplication",
            name="derainbench",
            softwareVersion=str(record.get("derainbench", self.about.version)),
            url=self.about.url,
            description=f"{state}SHA-256 of the source {source}; Python {record.get('python', '')}",
            softwareRequirements=libraries,
        )


def _single(value: Any) -> Any:
    """A list of one as that one, as RO-Crate recommends."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def authors_of(citation: Mapping[str, Any]) -> tuple[tuple[str, str, bool], ...]:
    """Authors of a CITATION.cff: name, ORCID or nothing, whether it is a person."""
    found: Iterable[Mapping[str, str]] = citation.get("authors", ())
    rows = []
    for author in found:
        parts = [author.get("given-names", ""), author.get("family-names", "")]
        person = " ".join(part for part in parts if part)
        rows.append((person or author.get("name", ""), author.get("orcid", ""), bool(person)))
    return tuple(rows)
