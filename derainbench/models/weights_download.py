"""Getting official weights: downloaded, checked against their model, put where runs look for them.

``ROOT/FOLDER/FILE`` appears in one rename, and only once the file loads into its model, every key
and shape. What a stopped download brought waits in ``ROOT/.downloads`` for the next call.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from filelock import FileLock

from derainbench.catalog.card_format import ModelCard, WeightFile
from derainbench.catalog.mirrors import DriveFile, HttpMirror, ManualMirror
from derainbench.catalog.model_cards import all_cards, model_card
from derainbench.data.acquisition.download import MirrorError, Patience, download
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import regular_file, sha256
from derainbench.foundation.first_seen import FirstSeen
from derainbench.foundation.suggestions import did_you_mean
from derainbench.models.weights import load_model

LOCK_FILE = "weights.lock.json"
LARGEST = 2_000_000_000  # bytes; a guard against zip bombs: the largest network has 0.2 GB


@dataclass(frozen=True)
class _Call:
    """What one call of :func:`fetch` shares between files."""

    card: ModelCard
    root: Path
    patience: Patience | None
    accept_new: bool

    @property
    def stage(self) -> Path:
        """Where downloads gather."""
        return self.root / ".downloads"

    @property
    def first_seen(self) -> FirstSeen:
        """Digests of the files downloaded so far."""
        return FirstSeen(self.root / LOCK_FILE)

    def place(self, file: WeightFile) -> Path:
        """Where a file belongs."""
        return self.root / file.name


def fetch(
    model: str,
    root: Path,
    *,
    dataset: str | None = None,
    patience: Patience | None = None,
    accept_new: bool = False,
) -> list[str]:
    """Brings a model's weight files to their places; those that are there are only checked.

    Args:
        model: name; see :func:`derainbench.catalog.model_cards.model_card`.
        root: files become ``root/FOLDER/FILE``.
        dataset: only those trained on this set.
        patience: with servers.
        accept_new: a file may differ from the one first seen at its address.

    Returns:
        One line per file: where it is, or how a person gets it.

    Raises:
        BenchError: if no file could be had; the message says what was tried, and how a person gets
            them.
    """
    card = model_card(model)
    call = _Call(card, Path(root), patience, accept_new)
    files = _wanted(card, dataset)
    to_download = any(file.automatic and not call.place(file).exists() for file in files)
    had, not_had = [], []
    with _alone(call) if to_download else nullcontext():
        for file in files:
            try:
                had.append(_get(call, file))
            except BenchError as error:
                not_had.append(str(error))
    if not had:
        raise BenchError("; ".join(not_had))
    return had + not_had


def _wanted(card: ModelCard, dataset: str | None) -> list[WeightFile]:
    if card.no_weights:
        raise BenchError(f"model '{card.name}' has no weights: {card.no_weights}")
    found = [
        f
        for f in card.weights
        if not (dataset and f.dataset) or _plain(f.dataset) == _plain(dataset)
    ]
    if not found:
        there = dict.fromkeys(f.dataset for f in card.weights if f.dataset)
        raise BenchError(
            f"model '{card.name}' has no weights trained on '{dataset}'{did_you_mean(str(dataset), there)}"
        )
    return found


def official_file(model: str, dataset: str, root: Path) -> tuple[Path, Mapping[str, Any]]:
    """A model's official weight file of a set, and the constructor arguments that it needs.

    Raises:
        BenchError: if none is known, or none of them lies below the root.
    """
    card = model_card(model)
    files = _wanted(card, dataset)
    for file in files:
        if (root / file.name).is_file():
            return root / file.name, file.kwargs
    raise BenchError(
        f"{root / files[0].name}: not there yet: `derainbench weights fetch {card.name} --root {root}`"
    )


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


@contextmanager
def _alone(call: _Call) -> Iterator[None]:
    """One fetch at a time; afterwards only what a stopped download left stays in the stage."""
    try:
        call.stage.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"{call.root}: cannot be written ({error.strerror})") from error
    with FileLock(call.root / f".{LOCK_FILE}.fetch"):
        try:
            yield
        finally:
            for folder in [*call.stage.iterdir()]:
                for file in [*folder.iterdir()]:
                    if not file.name.startswith("."):  # unfinished downloads start so
                        file.unlink()
                if not any(folder.iterdir()):
                    folder.rmdir()
            if not any(call.stage.iterdir()):
                call.stage.rmdir()


def _get(call: _Call, file: WeightFile) -> str:
    """Brings one file; gives the line that says so.

    Raises:
        BenchError: if it could not be had.
    """
    place = call.place(file)
    description = f"{place}: {file.dataset or 'set not said'}" + (
        f" ({file.task})" if file.task != "deraining" else ""
    )
    if place.exists():
        return f"{description}: is there, {_check_present(call, file)}"
    failures = []
    for source in file.sources:
        if isinstance(source, ManualMirror):
            continue
        try:
            return f"{description}: fetched, sha256 {_bring(call, file, source)[:16]}…"
        except MirrorError as error:
            failures.append(f"tried: {error}")
    raise BenchError(
        "; ".join([f"{file.name}: not to be had", *failures, how_by_hand(call.root, file)])
    )


def how_by_hand(root: Path, file: WeightFile) -> str:
    """How a person gets a file, in one line."""
    inside = f", take {file.member} out of it," if file.member else ""
    manual = [s for s in file.sources if isinstance(s, ManualMirror)]
    ways = [
        s.url + (f" (password {password})" if (password := getattr(s, "password", None)) else "")
        for s in manual or file.sources
    ]
    return f"by hand: download {' or '.join(ways)}{inside} and save it as {root / file.name}"


def _check_present(call: _Call, file: WeightFile) -> str:
    """Whether a file in its place is the right one: by digest, or else by loading it."""
    place = call.place(file)
    found = sha256(regular_file(place))
    if file.sha256 and found != file.sha256:
        raise BenchError(
            f"{place}: is there, but is another file (sha256 {found[:16]}… instead of "
            f"{file.sha256[:16]}…); move it away and fetch again"
        )
    seen = {call.first_seen.sha256(_key(file, source)) for source in file.sources}
    if found in {file.sha256, *seen}:
        return f"sha256 {found[:16]}…"
    _refuse_misfits(call.card, file, place)
    return f"fits {call.card.title}; no digest is known to hold it against"


def _key(file: WeightFile, source: HttpMirror | DriveFile | ManualMirror) -> str:
    """Under which address a weight file's digest is kept."""
    return f"{source.url}#{file.member}" if file.member else source.url


def _bring(call: _Call, file: WeightFile, source: HttpMirror | DriveFile) -> str:
    """Downloads a file from one source, checks it and puts it in its place; gives its SHA-256.

    Raises:
        MirrorError: if the source does not give the right file.
    """
    folder = call.stage / hashlib.sha256(source.url.encode()).hexdigest()[:16]
    own_name = PurePosixPath(file.name).name
    arrived = folder / ("archive.zip" if file.member else own_name)
    known = source.sha256 or (None if file.member else file.sha256)
    expected = known or (None if call.accept_new else call.first_seen.sha256(source.url))
    try:
        digest = download(source.url, arrived, sha256=expected, patience=call.patience)
    except MirrorError as error:
        if expected and not known and "wrong checksum" in str(error):
            raise MirrorError(
                f"{error}; it is not the file first seen there ({call.first_seen.path}); to take "
                "the new one, call again with --accept-new"
            ) from error
        raise
    seen = {source.url: {"sha256": digest, "bytes": arrived.stat().st_size}}
    weights = arrived
    if file.member:
        weights = _taken_out(arrived, file.member, folder / own_name, source.url)
        digest = sha256(weights)
        seen[_key(file, source)] = {"sha256": digest, "bytes": weights.stat().st_size}
        if file.sha256 not in (None, digest):
            raise MirrorError(f"{source.url}: {file.member} has the wrong sha256 {digest[:16]}…")
    try:
        _refuse_misfits(call.card, file, weights)
    except BenchError as error:
        weights.unlink()
        raise MirrorError(f"{source.url}: {str(error).removeprefix(f'{weights}: ')}") from error
    call.first_seen.remember(seen)
    call.place(file).parent.mkdir(parents=True, exist_ok=True)
    weights.replace(call.place(file))
    return digest


def _refuse_misfits(card: ModelCard, file: WeightFile, path: Path) -> None:
    """Loads a file into its model, strictly; pickled code in it never runs.

    Raises:
        BenchError: if it does not fit.
    """

    load_model(card.name, path, file.kwargs)


def _taken_out(archive: Path, member: str, target: Path, url: str) -> Path:
    """The one file of a zip archive that is called ``member``, wherever it lies in there."""
    try:
        with zipfile.ZipFile(archive) as opened:
            found = [i for i in opened.infolist() if PurePosixPath(i.filename).name == member]
            if len(found) != 1:
                raise MirrorError(f"{url}: holds {len(found)} files called {member} instead of one")
            if found[0].file_size > LARGEST:
                raise MirrorError(f"{url}: {member} is too large for weights; not unpacked")
            with opened.open(found[0]) as source, open(target, "wb") as out:
                shutil.copyfileobj(source, out)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise MirrorError(f"{url}: is no zip archive, or a damaged one ({error})") from error
    return target


def overview(root: Path, model: str | None = None) -> str:
    """One row per weight file that is known, of every model or of one."""
    rows = [
        {
            "model": card.name,
            "file": file.name,
            "trained on": file.dataset or "not said",
            "for": file.task,
            "by": file.origin,
            "how": "automatic" if file.automatic else "by hand",
            "there": "yes" if (root / file.name).is_file() else "",
            "sha256": "known" if file.sha256 else "",
            "licence": card.weights_licence,
        }
        for card in ([model_card(model)] if model else all_cards().values())
        for file in card.weights
    ]
    if not rows:
        return f"{model}: no weights: {model_card(str(model)).no_weights}"
    return pd.DataFrame(rows).to_markdown(index=False)
