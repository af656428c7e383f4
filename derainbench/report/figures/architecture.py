"""Drawing a network from what :mod:`derainbench.energy.architecture` saw of it."""

from __future__ import annotations

import textwrap
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from derainbench.report.figures.style import palette
from derainbench.results.architecture import INPUT, RESULT, Architecture, Block, Inner

BLUE, ORANGE = palette(2)
# Not by colour alone: analog input is hatched, and its frames are dashed.
SPIKES: dict[str, Any] = {"facecolor": (*BLUE, 0.45), "edgecolor": "black"}
ANALOG: dict[str, Any] = {
    "facecolor": (*ORANGE, 0.45),
    "edgecolor": "black",
    "hatch": "////",
    "linestyle": "--",
}
PLAIN: dict[str, Any] = {"facecolor": "white", "edgecolor": "black"}
UNDETERMINED: dict[str, Any] = {"facecolor": "0.8", "edgecolor": "black", "hatch": "...."}
NEURON: dict[str, Any] = {"facecolor": "0.93", "edgecolor": "black", "linewidth": 1.6}
ARROW: dict[str, Any] = {
    "arrowstyle": "-|>",
    "color": "black",
    "linewidth": 1,
    "shrinkA": 0,
    "shrinkB": 0,
}
ARROW |= {"mutation_scale": 8}
LONGEST_NAME = 13  # characters that a box is wide
ACROSS = 6  # modules side by side in the inside of a block
JOINS = {"cat": "concatenated", "add": "added"}
WIDTH, HEIGHT, STEP, SLOPE, LEVEL = 1.06, 1.22, 1.26, 0.63, 1.85  # of boxes and between them


def draw(architecture: Architecture) -> Figure:
    """The network as a U above, the insides of each kind of block below."""
    details: dict[str, Block] = {}
    for block in filter(_has_inside, architecture.blocks):
        details.setdefault(block.kinds[0], block)
    places = _places(architecture)
    right = max(x for x, _ in places.values()) + WIDTH
    low = min(y for _, y in places.values())
    rows = -(-len(details) // 2)
    heights = [HEIGHT - low + 1.5, *[_inset_height(details, row) for row in range(rows)]]
    inches = 0.72
    figure = plt.figure(figsize=(inches * (right + 0.5), inches * sum(heights) + 0.5))
    grid = figure.add_gridspec(
        1 + rows, 2, height_ratios=heights, hspace=0.06, wspace=0.04, left=0, right=1, bottom=0.03
    )
    grid.update(top=1 - 0.42 / figure.get_figheight())
    top = figure.add_subplot(grid[0, :])
    _network(top, architecture, places)
    top.set(xlim=(-0.3, right + 0.2), ylim=(low - 0.3, HEIGHT + 1.2))
    for number, (kind, block) in enumerate(details.items()):
        row = number // 2
        axes = figure.add_subplot(grid[1 + row, number % 2])
        _inside(axes, kind, block)
        axes.set(xlim=(-0.1, 7.2), ylim=(0.9 - _inset_height(details, row), 0.9))
    for axes in figure.axes:
        axes.set_axis_off()
    analog = sum(b.analog_macs for b in architecture.blocks)
    unknown = sum(b.undetermined_macs for b in architecture.blocks)
    total = analog + unknown + sum(b.spike_macs for b in architecture.blocks)
    not_told = f", {unknown / 1e9:.2f} G on input that was never but zero" if unknown else ""
    figure.suptitle(
        textwrap.fill(architecture.title, 170)
        + f"\n{architecture.parameters:,} parameters; one {architecture.size}x{architecture.size} image, T = {architecture.steps}: "
        f"{total / 1e9:.2f} GMACs in convolutions, of which {analog / 1e9:.2f} G "
        f"({analog / total:.0%}) on analog input{not_told}",
        fontsize=8.5,
        y=1,
        va="top",
    )
    handles = [
        Patch(label="on spikes", **SPIKES),
        Patch(label="on analog input", **ANALOG),
        *([Patch(label="on input never but zero", **UNDETERMINED)] if unknown else []),
        Patch(label="spiking neurons, threshold or levels", **NEURON),
        Patch(label="other", **PLAIN),
    ]
    figure.legend(
        handles=handles,
        title="convolutions (bar: share of a block's MACs)",
        title_fontsize=7.5,
        fontsize=7.5,
        ncol=4,
        loc="lower center",
        bbox_to_anchor=(0.5, -0.02),
        frameon=False,
        handlelength=2.6,
        handleheight=1.2,
    )
    return figure


def _places(architecture: Architecture) -> dict[str, tuple[float, float]]:
    """Lower left corners: to the right in the order of computation, down with the resolution."""
    sides = sorted({architecture.size, *(b.side for b in architecture.blocks)}, reverse=True)
    places, x, side = {INPUT: (0.0, 0.0)}, 0.0, architecture.size
    for block in architecture.blocks:
        x += STEP if block.side == side else SLOPE
        side = block.side
        places[block.name] = (x, -LEVEL * sides.index(side))
    places[RESULT] = (x + STEP, 0.0)
    return places


def _network(
    axes: Axes, architecture: Architecture, places: dict[str, tuple[float, float]]
) -> None:
    image = f"3x{architecture.size}x{architecture.size}"
    for name in (INPUT, RESULT):
        _box(axes, places[name], [name, image], PLAIN)
    for block in architecture.blocks:
        kind = textwrap.fill(", ".join(map(_short, block.kinds)), 16)
        shape = "x".join(map(str, block.output_shape[-3:]))
        steps = f"{block.output_shape[0]} x " if len(block.output_shape) == 5 else ""
        macs = (block.spike_macs + block.analog_macs + block.undetermined_macs) / 1e9
        if block.count > 1:
            kind = f"{block.count} x {kind}"
        lines = [_wrapped(block.name), kind, steps + shape]
        lines += [_amount(block.parameters), f"{macs:.2f} GMACs"]
        _box(axes, places[block.name], lines, PLAIN)
        _share(axes, places[block.name], block)
    order = [INPUT, *(b.name for b in architecture.blocks), RESULT]
    sources = {b.name: b.sources for b in architecture.blocks} | {RESULT: architecture.result}
    skips = [(s, n) for n, all_of in sources.items() for s in all_of if _far(order, s, n)]
    for name, all_of in sources.items():
        for source in all_of:
            if (source, name) in skips:
                # The longer, the higher; each a little aside, so that no two lines meet.
                rank = sorted(skips, key=lambda e: _length(order, *e)).index((source, name))
                word = JOINS.get(architecture.operation(all_of), architecture.operation(all_of))
                _skip(axes, places[source], places[name], 0.28 + 0.3 * rank, word)
            else:
                _arrow(axes, places[source], places[name])


def _far(order: list[str], source: str, target: str) -> bool:
    return _length(order, source, target) > 1


def _length(order: list[str], source: str, target: str) -> int:
    return order.index(target) - order.index(source)


def _wrapped(name: str) -> str:
    """A long name on two lines, broken at the first underscore after which the rest fits."""
    breaks = [i for i, c in enumerate(name) if c == "_" and i and len(name) - i <= LONGEST_NAME]
    return (
        f"{name[: breaks[0]]}\n{name[breaks[0] :]}" if len(name) > LONGEST_NAME and breaks else name
    )


def _short(kind: str) -> str:
    """``conv 1x1`` of ``conv 1x1 192→96``, ``LIF`` of ``LIF 0.15`` or of ``LIF, 5 levels``."""
    words = kind.partition(", ")[0].split()
    return " ".join(word for word in words if "→" not in word and "." not in word)


def _amount(count: int) -> str:
    return f"{count / 1e6:.2f} M par." if count >= 1e5 else f"{count / 1e3:.1f} k par."


def _box(axes: Axes, place: tuple[float, float], lines: list[str], look: dict[str, Any]) -> None:
    axes.add_patch(Rectangle(place, WIDTH, HEIGHT, linewidth=0.9, **look))
    x, y = place[0] + WIDTH / 2, place[1] + HEIGHT / 2 + 0.05 * (len(lines) > 2)
    axes.text(x, y, "\n".join(lines), ha="center", va="center", fontsize=6, linespacing=1.15)


def _share(axes: Axes, place: tuple[float, float], block: Block) -> None:
    """A bar at the lower edge: MACs on spikes to the left, on analog input, undetermined ones."""
    amounts = (block.spike_macs, block.analog_macs, block.undetermined_macs)
    left = place[0]
    for amount, look in zip(amounts, (SPIKES, ANALOG, UNDETERMINED), strict=True):
        if amount:
            width = WIDTH * amount / sum(amounts)
            axes.add_patch(Rectangle((left, place[1]), width, 0.12, linewidth=0.6, **look))
            left += width


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From a box to the next one, on its level or on another."""
    (x0, y0), (x1, y1) = start, end
    if y0 == y1:
        points = (x0 + WIDTH, y0 + HEIGHT / 2), (x1, y1 + HEIGHT / 2)
    else:
        middle = (x0 + x1 + WIDTH) / 2
        points = (middle, y0 + HEIGHT * (y1 > y0)), (middle, y1 + HEIGHT * (y1 < y0))
    axes.annotate("", points[1], points[0], arrowprops=ARROW)


def _skip(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], rise: float, word: str
) -> None:
    """A skip connection: up, across, and down into the top of the later box."""
    left, right = start[0] + 0.5 * WIDTH, end[0] + 0.5 * WIDTH
    height = max(start[1], end[1]) + HEIGHT + rise
    axes.plot([left, left, right], [start[1] + HEIGHT, height, height], color="black", linewidth=1)
    axes.annotate("", (right, end[1] + HEIGHT), (right, height), arrowprops=ARROW)
    axes.text((left + right) / 2, height + 0.03, word, fontsize=6, ha="center", va="bottom")


def _has_inside(block: Block) -> bool:
    """Whether a block is of a kind of its own with more than one module."""
    return len(block.kinds) == 1 and sum(map(len, block.inside.values())) > 1


def _inset_height(details: dict[str, Block], row: int) -> float:
    shown = list(details.values())[2 * row : 2 * row + 2]
    return 0.76 + 0.62 * max(len(_lines(block)) for block in shown)


def _lines(block: Block) -> list[tuple[str, tuple[Inner, ...]]]:
    """The modules of a block line by line: those of a child, which goes on below if it has many."""
    return [
        (name if first == 0 else "", modules[first : first + ACROSS])
        for name, modules in block.inside.items()
        for first in range(0, len(modules), ACROSS)
    ]


def _inside(axes: Axes, kind: str, block: Block) -> None:
    """The modules of a block, a row for each of its children."""
    text = textwrap.fill(f"{kind} (shown: {block.path}). {block.formula}", 105)
    axes.text(0, 0.42, text, fontsize=6.5, va="bottom", ha="left")
    for number, (name, modules) in enumerate(_lines(block)):
        y = -0.62 * number
        axes.text(0, y + 0.11, name, fontsize=6.5, va="center")
        for place, module in enumerate(modules):
            x = 1.1 + 0.98 * place
            look = _look(module)
            axes.add_patch(Rectangle((x, y - 0.12), 0.84, 0.46, **({"linewidth": 0.8} | look)))
            words = _words(module)
            hatched = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
            backing = hatched if look is ANALOG else None
            axes.text(x + 0.42, y + 0.11, words, fontsize=6, ha="center", va="center", bbox=backing)
            if place or not name:
                axes.plot((x - 0.14, x), (y + 0.11, y + 0.11), color="black", linewidth=0.8)


def _look(module: Inner) -> dict[str, Any]:
    if module.kind == "convolution":
        known = {"spikes": SPIKES, "silent": UNDETERMINED, None: SPIKES, "unmeasured": SPIKES}
        return known.get(module.input, ANALOG)
    return NEURON if module.kind == "neurons" else PLAIN


def _words(module: Inner) -> str:
    if module.kind == "compound":
        name, kind = module.path.rsplit(".", 1)[-1], _spaced(module.label)
        return (
            f"{name}: {kind}"
            if len(name) + len(module.label) < LONGEST_NAME
            else f"{name}:\n{kind}"
        )
    words = module.label.split()
    if module.kind == "neurons":
        return "\n".join(module.label.split(", "))
    return "\n".join((" ".join(words[:2]), " ".join(words[2:]))) if len(words) > 2 else module.label


def _spaced(name: str) -> str:
    """``AxisAttention`` -> ``Axis\\nAttention``."""
    return "".join(f"\n{c}" if c.isupper() and i else c for i, c in enumerate(name))
