"""Our operation counts beside those of other counters, every difference with its reason.

Reasons are worked out from what a counter has rules for, from the types of modules, and from the
operations that run in them. A difference that these do not account for stays "unexplained".
"""

from __future__ import annotations

import copy
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from derainbench import models, provenance
from derainbench.energy.counters import (
    COUNTERS,
    FUNCTIONS,
    RULE,
    TENSORS,
    OtherCounter,
    Reading,
    Split,
)
from derainbench.energy.counting import SILENT, SPIKES, count, count_structure
from derainbench.errors import BenchError
from derainbench.files import staged_folder, write_text
from derainbench.progress import Reporter

MODELS = ("esdnet", "esdnet-ann", "prenet", "nafnet")
SIZE = 256  # complexity is stated for one 256x256 image, as the literature does
SMALL = 32  # for counters that look at values: the network really computes
SEED = 0
SUMMARY, LAYERS = "crosscheck.csv", "crosscheck-layers.csv"

_COLUMNS = [
    *("model", "counter", "version", "size", "status"),
    *("macs", "macs_ours", "ratio", "difference", "unexplained"),
    *("parameters", "parameters_ours", "explanation"),
]
_LAYER_COLUMNS = [
    *("model", "counter", "layer", "type"),
    *("macs_ours", "macs", "difference", "unexplained"),
    *("parameters_ours", "parameters", "parameters_unseen", "reason"),
]

aten = torch.ops.aten
PRODUCTS = {"aten.convolution", "aten.addmm", "aten.mm", "aten.bmm", "aten.baddbmm"}
# Ends of the names of the torch modules that layers other than products are defined in.
_KINDS = {
    "activation": "activations",
    "batchnorm": "normalisation",
    "instancenorm": "normalisation",
    "normalization": "normalisation",
    "pooling": "pooling",
    "upsampling": "interpolation",
}
_BINARY = {SPIKES: "spikes (all 0 or 1)", SILENT: "0 throughout"}


class Part(NamedTuple):
    """One reason for a difference: MACs and parameters that the counter has more than we."""

    macs: float
    parameters: int
    reason: str


@dataclass(frozen=True)
class Facts:
    """What is known of a network and an input apart from any other counter.

    Attributes:
        modules: by path, each once.
        places: modules by path, those that are used in several places under each.
        parameters: by the path of the module that owns them, each once.
        macs: our count by path.
        by_input: those of them by path and kind of input ("unmeasured" without values).
        observed: by path: see :class:`_Observer`.
    """

    modules: Mapping[str, nn.Module]
    places: Mapping[str, nn.Module]
    parameters: Mapping[str, int]
    macs: Mapping[str, int]
    by_input: Mapping[str, Mapping[str, int]]
    observed: Mapping[str, Mapping[str, int]]


class _Observer(TorchDispatchMode):
    """Notes of products: elements made ("outputs"), elements that the same operation adds a bias
    to ("bias"), MACs of a convolution if each output element met the whole kernel ("per output"),
    how often an operand is a parameter ("weighted") or none is ("activations")."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.totals: Counter[str] = Counter()
        self._storages = {_storage(p) for p in model.parameters()}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func is aten.convolution.default:
            x, weight, bias, *_, groups = args
            self.totals["per output"] += (
                out.numel() * (x.shape[1] // groups) * math.prod(weight.shape[2:])
            )
            self._product(out, (x, weight), bias is not None)
        elif func in (aten.addmm.default, aten.baddbmm.default):
            self._product(out, args[1:3], True)
        elif func in (aten.mm.default, aten.bmm.default):
            self._product(out, args[:2], False)
        return out

    def _product(self, out: torch.Tensor, operands: Sequence[torch.Tensor], bias: bool) -> None:
        weighted = any(_storage(operand) in self._storages for operand in operands)
        self.totals["weighted" if weighted else "activations"] += 1
        self.totals["bias"] += out.numel() * bias
        self.totals["outputs"] += out.numel()


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata  # the same for all views; meta tensors have no address


@torch.no_grad()
def facts(build: Callable[[], nn.Module], image: torch.Tensor) -> Facts:
    """Our count and observations of a freshly built model on [1,3,H,W]."""
    model = build()
    with _Observer(model) as observer, Split(model, lambda: observer.totals) as split:
        model(image)
    height, width = image.shape[2:]
    counts = count_structure(build(), height, width) if image.is_meta else count(build(), image)
    macs: Counter[str] = Counter()
    by_input: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for record in counts:
        macs[record.layer] += record.macs
        by_input[record.layer][record.input] += record.macs
    owners = {id(p): name.rpartition(".")[0] for name, p in model.named_parameters()}
    parameters: Counter[str] = Counter()
    for parameter in model.parameters():
        parameters[owners[id(parameter)]] += parameter.numel()
    places = dict(model.named_modules(remove_duplicate=False))
    return Facts(dict(model.named_modules()), places, parameters, macs, by_input, split.parts)


def explain(counter: OtherCounter, reading: Reading, known: Facts, path: str) -> list[Part]:
    """The reasons why a counter differs from us at one module; empty if it does not."""
    counted = {what: macs for what, macs in reading.parts.get(path, {}).items() if macs}
    if path not in known.modules:
        seen = (reading.seen or {}).get(path, 0)
        again = Part(sum(counted.values()), seen, "module used in several places: counted again")
        return [again] if again.macs or seen else []
    if counter.module_types is None:
        return list(_by_operation(counter, counted, known, path))
    return list(_by_module(counter, counted, reading, known, path))


def _by_operation(counter, counted, known: Facts, path: str) -> Iterator[Part]:
    for operation, macs in counted.items():
        if operation not in PRODUCTS:
            yield Part(macs, 0, f"counts {operation}, which is no product")
    ours = known.macs.get(path, 0)
    more = sum(macs for operation, macs in counted.items() if operation in PRODUCTS) - ours
    binary = {kind: known.by_input.get(path, {}).get(kind, 0) for kind in (SPIKES, SILENT)}
    if not more:
        return
    if more == known.observed[path]["bias"] / counter.flops_per_mac:
        yield Part(more, 0, "counts the bias as an operation")
    elif more == -sum(binary.values()):
        for kind, macs in binary.items():
            if macs:
                yield Part(-macs, 0, f"input is {_BINARY[kind]}: counted as accumulates, not MACs")


def _by_module(counter, counted, reading: Reading, known: Facts, path: str) -> Iterator[Part]:
    kind = type(known.modules[path])
    rules = counter.module_types()
    ours = known.macs.get(path, 0)
    unseen = 0
    if reading.seen is not None:
        unseen = known.parameters.get(path, 0) - reading.seen.get(path, 0)
    if FUNCTIONS in counted:
        again = "a second time, by its function" if kind in rules else "by the functions it calls"
        yield Part(counted[FUNCTIONS], 0, f"counts {_kind(kind)} {again}")
    tensors = counted.get(TENSORS, 0)
    if kind in rules:
        yield from _by_rule(counted.get(RULE, 0), ours, known, path)
    elif (ours and not tensors) or unseen:
        yield Part(-ours, -unseen, _no_rule(counter, kind, known, path, ours))
    if tensors and not ours:
        yield Part(tensors, 0, f"counts calls of {TENSORS}")


def _by_rule(macs: float, ours: int, known: Facts, path: str) -> Iterator[Part]:
    more = macs - ours
    if not more:
        return
    if not ours:
        yield Part(more, 0, f"counts {_kind(type(known.modules[path]))}")
        return
    observed = known.observed[path]
    has_bias = getattr(known.modules[path], "bias", None) is not None
    if has_bias and more == observed["outputs"]:
        yield Part(more, 0, "counts the bias as an operation")
    elif macs == ours * sum(m is known.modules[path] for m in known.places.values()):
        yield Part(more, 0, "module used in several places: its rule runs that often")
    elif macs == observed["per output"]:
        yield Part(
            more, 0, "counts a transposed convolution by output elements, each with a whole kernel"
        )


def _no_rule(counter: OtherCounter, kind: type, known: Facts, path: str, ours: int) -> str:
    rules = counter.module_types()
    base = next((b for b in kind.__mro__[1:] if b in rules), None)
    missing = f"type {_name(kind)} has no rule in {counter.package}"
    if base:
        return f"{missing}, though its base {_name(base)} has: counted as 0"
    if ours and not known.observed[path]["weighted"]:
        return f"product of two activations, no module: {missing}"
    if ours:
        return f"product with weights outside any layer: {missing}"
    return f"{missing}: counted as 0"


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _kind(kind: type) -> str:
    """What a module type is, by the part of torch that it or a base of it is defined in."""
    for base in kind.__mro__:
        package, _, last = base.__module__.rpartition(".")
        if package == "torch.nn.modules" and last in _KINDS:
            return _KINDS[last]
    return f"operations of {_name(kind)}"


def compare(
    name: str,
    counter: OtherCounter,
    build: Callable[[], nn.Module],
    image: torch.Tensor,
    known: Facts,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One counter on one network.

    Args:
        name: the network, for the rows.
        counter: what to compare with.
        build: gives a fresh network in eval mode, on the image's device: counters leave marks.
        image: [1,3,H,W], a meta tensor unless the counter needs values.
        known: of the same network and image.

    Returns:
        The row of ``crosscheck.csv`` and those of ``crosscheck-layers.csv``.
    """
    row = {
        "model": name,
        "counter": counter.name,
        "version": _version(counter.package),
        "size": "x".join(map(str, image.shape[2:])),
        "status": "ok",
        "macs": None,
        "macs_ours": sum(known.macs.values()),
        "parameters_ours": sum(known.parameters.values()),
    }
    try:
        with torch.no_grad():
            reading = counter.read(build(), image)
    except Exception as error:  # whatever a foreign counter fails with is its result
        row["status"] = f"cannot run: {_first_line(error)}"
        return row, []
    layers, parts = _layer_rows(row, counter, reading, known)
    difference = reading.macs - row["macs_ours"]
    return row | {
        "macs": _plain(reading.macs),
        "ratio": float(f"{reading.macs / row['macs_ours']:.9g}") if row["macs_ours"] else None,
        "difference": _plain(difference),
        "unexplained": _plain(difference - sum(part.macs for part in parts)),
        "parameters": reading.parameters,
        "explanation": _summary(parts),
    }, layers


def _layer_rows(row, counter, reading, known) -> tuple[list[dict[str, Any]], list[Part]]:
    macs = Counter({path: sum(counted.values()) for path, counted in reading.parts.items()})
    rows, all_parts = [], []
    for path, module in known.places.items():
        parts = explain(counter, reading, known, path)
        ours, own = known.macs.get(path, 0), known.parameters.get(path, 0)
        if not (parts or ours or own or macs[path]):
            continue
        all_parts += parts
        seen = reading.seen.get(path, 0) if reading.seen is not None else None
        rows.append(
            {
                "model": row["model"],
                "counter": row["counter"],
                "layer": path,
                "type": _name(type(module)),
                "macs_ours": ours,
                "macs": _plain(macs[path]),
                "difference": _plain(macs[path] - ours),
                "unexplained": _plain(macs[path] - ours - sum(part.macs for part in parts)),
                "parameters_ours": own,
                "parameters": seen,
                "parameters_unseen": None if seen is None else own - seen,
                "reason": "; ".join(part.reason for part in parts),
            }
        )
    return rows, all_parts


def _summary(parts: Sequence[Part]) -> str:
    """Parts of equal reason summed, the largest first."""
    groups: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        groups[part.reason].append(part)
    lines = []
    for reason, group in groups.items():
        macs, parameters = sum(p.macs for p in group), sum(p.parameters for p in group)
        amounts = [f"{_plain(macs):+,} MACs"] if macs else []
        amounts += [f"{parameters:+,} parameters"] if parameters else []
        text = f"{', '.join(amounts)}: {reason} ({len(group)} modules)"
        lines.append((-abs(macs), -abs(parameters), text))
    return "; ".join(text for *_, text in sorted(lines))


def _plain(number: float) -> int | float:
    """A whole number as such; half a FLOP of a counter that counts FLOPs stays a half."""
    return int(number) if number == int(number) else number


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _first_line(error: Exception) -> str:
    # The path in brackets that ends an ImportError differs from machine to machine.
    text = (str(error).splitlines() or [""])[0].partition(" (/")[0]
    return f"{type(error).__name__}: {text}"


def _sides(model: str, size: int) -> tuple[int, int]:
    """The side that complexity is stated at, and that at which values are computed."""
    card = models.card(model)
    if card.fixed_size:
        return card.fixed_size, card.fixed_size
    if size % card.size_multiple:
        raise BenchError(
            f"model '{card.name}' takes sides that are multiples of {card.size_multiple}, "
            f"not {size}"
        )
    return size, min(size, -(-SMALL // card.size_multiple) * card.size_multiple)


def _builder(model: str, device: str) -> Callable[[], nn.Module]:
    torch.manual_seed(SEED)
    with torch.device(device):
        template = models.build(model).eval()
    return lambda: copy.deepcopy(template)


def _image(side: int, device: str) -> torch.Tensor:
    if device == "meta":
        return torch.empty(1, 3, side, side, device=device)
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(SEED))


def crosscheck(
    names: Sequence[str] = MODELS,
    size: int = SIZE,
    counters: Sequence[OtherCounter] = COUNTERS,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every counter on every model, at full size with freshly drawn weights.

    Args:
        names: of models; see :func:`derainbench.models.card`.
        size: image side, pixels. Counters that look at values get a side of 32, or the next that
            the model takes.
        counters: what to compare with.

    Returns:
        The tables of ``crosscheck.csv`` and ``crosscheck-layers.csv``.

    Raises:
        BenchError: for an unknown model, or a size that it does not take.
    """
    plans = [(models.card(name).name, *_sides(name, size)) for name in names]
    rows, layers = [], []
    with Reporter("cross-check", len(plans) * len(counters)) as reporter:
        for name, side, small in plans:

            @cache
            def known_at(device: str, side: int, name: str = name) -> tuple[Any, ...]:
                build, image = _builder(name, device), _image(side, device)
                return build, image, facts(build, image)

            for counter in counters:
                where = ("cpu", small) if counter.needs_values else ("meta", side)
                row, its_layers = compare(name, counter, *known_at(*where))
                rows.append(row)
                layers += its_layers
                reporter.advance(f"{name}, {counter.name}")
    # Objects: whole numbers stay whole beside empty cells.
    return (
        pd.DataFrame(rows, columns=_COLUMNS, dtype=object),
        pd.DataFrame(layers, columns=_LAYER_COLUMNS, dtype=object),
    )


def write(out: Path, names: Sequence[str] = MODELS, size: int = SIZE) -> pd.DataFrame:
    """Cross-checks models and writes ``crosscheck.csv`` and ``crosscheck-layers.csv``, all or
    nothing; gives the former.

    Raises:
        BenchError: as :func:`crosscheck`, or if ``out`` cannot be written to.
    """
    table, layers = crosscheck(names, size)
    with staged_folder(out) as stage:
        write_text(stage / LAYERS, layers.to_csv(index=False))
        write_text(stage / SUMMARY, table.to_csv(index=False))
        provenance.write_record(
            stage / SUMMARY, settings={"models": list(names), "size": size}, seed=SEED, device="cpu"
        )
    return table


def markdown(table: pd.DataFrame) -> str:
    """The summary as a short Markdown table."""
    shown = pd.DataFrame(
        {
            "model": table["model"],
            "counter": table["counter"],
            "size": table["size"],
            "GMACs": [_number(v, 1e9, 4) for v in table["macs"]],
            "ours": [_number(v, 1e9, 4) for v in table["macs_ours"]],
            "ratio": [_number(v, 1, 6) for v in table["ratio"]],
            "unexplained": [_share(r) for _, r in table.iterrows()],
            "parameters": [_number(v, 1, 0) for v in table["parameters"]],
            "status": table["status"],
        }
    )
    return shown.to_markdown(index=False, disable_numparse=True)


def _number(value: float | None, unit: float, digits: int) -> str:
    return "" if value is None or pd.isna(value) else f"{value / unit:,.{digits}f}"


def _share(row: pd.Series) -> str:
    """The unexplained part, as a share of our count."""
    if row["unexplained"] is None or pd.isna(row["unexplained"]):
        return ""
    return f"{row['unexplained'] / row['macs_ours']:.2%}" if row["unexplained"] else "none"
