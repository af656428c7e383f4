"""Weight files of any origin, told by what they hold: names lie.

Read are safetensors and PyTorch files (with ``weights_only=True``: no code in a file is ever run).
What else people save under such a name is refused in a line that says what it is.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from derainbench.foundation.documents import Unreadable, parse_json, shown
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import regular_file

State = dict[str, torch.Tensor]
# Where training code puts a network's tensors, averaged ones first: papers report those.
# params, params_ema: BasicSR. state_dict: Lightning, MPRNet's family. state_dict_ema: timm.
WRAPPER_KEYS = (
    *("params_ema", "state_dict_ema", "model_ema", "ema_state_dict", "ema"),
    *("params", "state_dict", "model_state_dict", "model_state", "model", "net", "network"),
    *("netG", "net_g", "G", "generator", "weights", "module", "state"),
)
MAX_WRAPPERS = 4
OWN_NOTE = "derainbench"  # key of our own metadata in a safetensors file
_HEADER = 100_000_000  # bytes; safetensors allows its header no more


def read_states(path: str | Path) -> list[State]:
    """The state dicts of a weight file, the likeliest first, on the CPU.

    Raises:
        BenchError: if the file is missing, damaged, holds no state dict, or wants to run code.
    """
    path = regular_file(Path(path), "no such weight file")
    kind = _kind(path)
    content = _safetensors(path) if kind == "safetensors" else _torch_file(path)
    states = list(_states(content))
    if not states:
        raise BenchError(
            f"{path}: holds no state dict (expected tensors by name, bare or under one of "
            f"{', '.join(WRAPPER_KEYS)})"
        )
    return states


def read_state_dict(path: str | Path) -> State:
    """The likeliest of the state dicts that :func:`read_states` gives."""
    return read_states(path)[0]


def own_note(path: Path) -> dict[str, Any] | None:
    """What a weight file of this benchmark says of itself: its model and constructor arguments.

    Returns:
        Keys ``model`` and ``kwargs``; None for a file of another origin.

    Raises:
        BenchError: if there is no such file, or its note is damaged.
    """
    path = regular_file(Path(path), "no such weight file")
    if _kind(path) != "safetensors":
        return None
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(OWN_NOTE)
    except (SafetensorError, OSError):
        return None  # the loader reports damage
    if text is None:
        return None
    try:
        note = parse_json(text)
    except Unreadable as error:
        raise _note_error(path, f"is no JSON ({error})") from error
    if not isinstance(note, dict):
        raise _note_error(path, f"is {shown(note)}, not a mapping")
    model = note.get("model")
    if not (isinstance(model, str) and model.isprintable() and len(model) <= 100):
        raise _note_error(path, "names no model")
    if not isinstance(note.get("kwargs"), dict):
        raise _note_error(path, "gives no kwargs by name")
    return note


def _note_error(path: Path, fault: str) -> BenchError:
    return BenchError(
        f"{path}: its metadata '{OWN_NOTE}' {fault}; save its tensors anew without that metadata"
    )


def _kind(path: Path) -> str:
    """``safetensors`` or ``torch``, by the first bytes; by the name where they say nothing.

    Raises:
        BenchError: if the file is known to be something else.
    """
    with open(path, "rb") as stream:
        head = stream.read(512)
    if not head:
        raise BenchError(f"{path}: is empty; copy or download it again")
    if head.startswith(b"version https://git-lfs"):
        raise BenchError(
            f"{path}: is a Git LFS pointer, not the weights it stands for; run `git lfs pull` in "
            "its repository, or download the file itself"
        )
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<head")):
        raise BenchError(
            f"{path}: is a web page, not a weight file: a download page was saved in its place; "
            "download the file itself"
        )
    for signature, what in _OTHERS.items():
        if head.startswith(signature):
            raise BenchError(f"{path}: is {what}, not a weight file of PyTorch or safetensors")
    if head.startswith(b"PK\x03\x04"):
        _refuse_other_zips(path)
        return "torch"
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _HEADER:
        return "safetensors"
    if head[:1] == b"\x80":  # every pickle since 2003
        return "torch"
    return "safetensors" if path.suffix == ".safetensors" else "torch"


_OTHERS = {
    b"\x89HDF": "an HDF5 file (Keras?)",
    b"GGUF": "a GGUF file",
    b"\x93NUMPY": "a NumPy array",
    b"\x1f\x8b": "packed with gzip",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
}


def _refuse_other_zips(path: Path) -> None:
    """PyTorch's files are ZIP archives; so are others."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return  # the loader reports damage
    parts = {name.partition("/")[2] for name in names}
    if "constants.pkl" in parts or any(part.startswith("code/") for part in parts):
        raise BenchError(
            f"{path}: is a TorchScript program, not weights alone; save its bare state_dict with "
            "torch.save(torch.jit.load(...).state_dict(), ...) instead"
        )
    if "data.pkl" not in parts:
        numpy = bool(names) and all(name.endswith(".npy") for name in names)
        remedy = "save its arrays as tensors with torch.save" if numpy else "unpack it"
        what = "a NumPy archive" if numpy else "a ZIP archive of other files"
        raise BenchError(f"{path}: is {what}, not a weight file; {remedy}")


def _safetensors(path: Path) -> object:
    try:
        return load_file(path)
    except Exception as error:  # of a kind of number that torch lacks, too
        raise BenchError(
            f"{path}: damaged or truncated safetensors file; copy or download it again"
        ) from error


def _torch_file(path: Path) -> object:
    try:
        # As a stream: torch would take a name that ends in .safetensors for what is inside.
        with open(path, "rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about kinds of tensors that are refused later
            return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).lower()
        if any(f"unsupported {what}" in reason for what in ("global", "class")):
            raise BenchError(
                f"{path}: not a weight file that can be trusted: it is damaged, or holds pickled "
                "objects other than tensors, which could run code; save its bare state_dict with "
                "torch.save(model.state_dict(), ...) instead"
            ) from error
        raise BenchError(f"{path}: not a PyTorch weight file, or a damaged one") from error
    except Exception as error:  # a damaged file makes torch raise nearly anything
        raise BenchError(
            f"{path}: damaged or truncated weight file; copy or download it again"
        ) from error


def _states(content: object, depth: int = 0) -> Iterator[State]:
    """Every state dict in a file: itself one, or under the customary keys."""
    if not isinstance(content, Mapping) or depth > MAX_WRAPPERS:
        return
    if _is_state(content):
        yield dict(content)
        return
    for key in WRAPPER_KEYS:
        yield from _states(content.get(key), depth + 1)


def _is_state(content: Mapping[Any, Any]) -> bool:
    return (
        bool(content)
        and all(isinstance(name, str) for name in content)
        and all(isinstance(value, torch.Tensor) for value in content.values())
    )
