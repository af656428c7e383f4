"""One rule that turns what was measured into a verdict. All tests of claims and all tables use it.

Chance enters a number in two ways: another seed trains other weights, and other images score
otherwise. A verdict takes every way that is open, and all of them must agree:

- **seeds**: a network that was trained here. Fewer than :data:`LEAST` seeds decide nothing, neither
  for a claim nor against it.
- **images**: where those measured are drawn from more, as a part of a published test set is.
- **neither**: official weights on the whole published test set, or a count. Nothing is left to
  chance, so the difference itself decides.

Each way gives a 90 % interval, which lies inside a tolerance exactly where two one-sided tests at
5 % reject (:mod:`derainbench.statistics.equivalence`):

- inside the tolerance: ``reproduced``;
- wholly outside: ``contradicted`` if the claim has a direction (a saving, a part that helps, more
  spikes at rain, not worse than others) and that is refuted, or if it is about a count that no other
  training or image could change; else ``deviates``: a number differs;
- neither: ``undecided``, with how many seeds or images would decide at the scatter seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from derainbench.catalog.verdicts import Outcome
from derainbench.statistics.bootstrap import LEVEL
from derainbench.statistics.effects import spread
from derainbench.statistics.equivalence import MOST_VALUES, TWO_ONE_SIDED, values_to_decide
from derainbench.statistics.significance import seeds_difference

LEAST = 3  # seeds, or images, of which scatter is believed
Show = Callable[[float], str]


@dataclass(frozen=True)
class Sample:
    """What a number generalises from, in short.

    Attributes:
        unit: what was drawn.
        size: how many, of the network that the claim is about.
        value: mean, or difference of two networks' means.
        low, high: the interval that decides; NaN where one value alone tells of no scatter.
        sd: scatter of single values; NaN if it is not known.
        groups: 2 for a difference of two networks' means over seeds.
        fewest: the smaller of the two networks' numbers of seeds; else the size.
        shown: Student's 95 % interval, or the bootstrap's where that was recorded: what tables show.
        whole: images of the whole published test set, if that is known.
        level: of the interval that decides, per cent.
    """

    unit: Literal["seed", "image"]
    size: int
    value: float
    low: float
    high: float
    sd: float
    groups: int
    fewest: int
    shown: tuple[float, float]
    whole: int | None = None
    level: int = round(100 * TWO_ONE_SIDED)

    @classmethod
    def over(
        cls, unit: Literal["seed", "image"], values: Sequence[float], *, whole: int | None = None
    ) -> Sample:
        """The mean of one value per seed or image; those that are not finite are left out."""
        found, wider = spread(values, TWO_ONE_SIDED), spread(values)
        shown = (wider.low, wider.high)
        return cls(
            unit, found.n, found.mean, found.low, found.high, found.sd, 1, found.n, shown, whole
        )

    @classmethod
    def between_seeds(cls, own: Sequence[float], other: Sequence[float]) -> Sample:
        """A network's mean over seeds minus another's; the scatter is taken to be the same."""
        found = seeds_difference(own, other)
        low, high = found.interval(TWO_ONE_SIDED)
        fewest, shown = min(found.first, found.second), found.interval(LEVEL)
        return cls("seed", found.first, found.difference, low, high, found.sd, 2, fewest, shown)

    @classmethod
    def recorded(cls, value: float, low: float, high: float, images: int) -> Sample:
        """A mean over images of which only the 95 % interval was kept: it asks for more."""
        ends = (low, high)
        return cls("image", images, value, *ends, math.nan, 1, images, ends, level=95)

    @property
    def tells(self) -> bool:
        """Whether there is enough of it to decide anything."""
        return self.size >= LEAST and not math.isnan(self.low)

    def within(self, lower: float, upper: float) -> bool:
        """Whether the interval lies inside."""
        return self.tells and lower < self.low and self.high < upper

    def beyond(self, lower: float, upper: float) -> bool:
        """Whether the interval lies wholly outside."""
        return self.tells and (self.high < lower or self.low > upper)

    def numbered(self) -> str:
        """``3 seeds``, ``one image``."""
        return numbered(self.size, self.unit)

    def span(self, show: Show) -> str:
        """``[29.92, 30.18] over 3 seeds``."""
        return f"[{show(self.low)}, {show(self.high)}] over {self.numbered()}"

    def to_decide(self, gap: float) -> int | None:
        """How many in all would decide, if mean and scatter stay; None if that is not known."""
        return values_to_decide(self.sd, gap, least=LEAST, groups=self.groups)


@dataclass(frozen=True)
class Ruling:
    """A verdict's word and how it came about.

    Attributes:
        outcome: the word.
        reason: a clause.
        more_seeds: further seeds that would decide at the scatter seen; at least so many where one
            seed tells of no scatter. None where seeds are not what is missing, or no number is known.
    """

    outcome: Outcome
    reason: str
    more_seeds: int | None = None


def on_count(fits: bool) -> Outcome:
    """Of a count: parameters, operations, a rate that a schedule gives. Nothing is drawn."""
    return Outcome.REPRODUCED if fits else Outcome.CONTRADICTED


def on_number(
    samples: Sequence[Sample],
    published: float,
    margin: float,
    *,
    value: float,
    directed: bool = False,
    show: Show = "{:.2f}".format,
) -> Ruling:
    """Whether a measured number is the published one, to within a tolerance.

    Args:
        samples: one per way in which chance enters; none: the difference itself decides.
        published: taken as exact.
        margin: the tolerance.
        value: the mean that was measured.
        directed: whether the published number's sign is a claim too: a saving is claimed to be one.
        show: a number as text.
    """
    lower, upper = published - margin, published + margin
    target = f"{show(published)} ± {show(margin)}"
    if not samples:
        inside = abs(value - published) <= margin
        refuted = directed and value * published < 0
        word = Outcome.REPRODUCED if inside else _outside(refuted)
        side = "inside" if inside else "outside"
        return Ruling(word, f"nothing is left to chance: {side} {target}")
    spans = f"{samples[0].level} % interval {_spans(samples, show)}"
    if all(sample.within(lower, upper) for sample in samples):
        return Ruling(Outcome.REPRODUCED, f"{spans}, inside {target}")
    if all(sample.beyond(lower, upper) for sample in samples):
        ends = [sample.high if published > 0 else -sample.low for sample in samples]
        return Ruling(
            _outside(refuted=directed and all(end < 0 for end in ends)),
            f"{spans}, outside {target}",
        )
    return _undecided(
        samples,
        lambda s: s.within(lower, upper) or s.beyond(lower, upper),
        lambda s: abs(abs(s.value - published) - margin),
        f"against {target}",
        show,
    )


def on_bound(samples: Sequence[Sample], bound: float, *, show: Show = "{:+.2f}".format) -> Ruling:
    """Whether a measured difference lies above a bound, as the claim says.

    Args:
        samples: one per way in which chance enters; at least one.
        bound: 0 for "more than", minus the tolerance for "not worse by more than".
        show: a number as text.
    """
    limit = show(bound) if bound else "0"
    spans = f"{samples[0].level} % interval {_spans(samples, show)}"
    if all(sample.tells and sample.low > bound for sample in samples):
        return Ruling(Outcome.REPRODUCED, f"{spans}, above {limit}")
    if all(sample.tells and sample.high < bound for sample in samples):
        return Ruling(Outcome.CONTRADICTED, f"{spans}, below {limit}")
    return _undecided(
        samples,
        lambda s: s.tells and (s.low > bound or s.high < bound),
        lambda s: abs(s.value - bound),
        f"against {limit}",
        show,
    )


def numbered(number: int, unit: str) -> str:
    """``3 seeds``, ``one seed``."""
    return f"one {unit}" if number == 1 else f"{number} {unit}s"


def _outside(refuted: bool) -> Outcome:
    return Outcome.CONTRADICTED if refuted else Outcome.DEVIATES


def _spans(samples: Sequence[Sample], show: Show) -> str:
    return " and ".join(sample.span(show) for sample in samples)


def _undecided(
    samples: Sequence[Sample],
    settled: Callable[[Sample], bool],
    gap: Callable[[Sample], float],
    target: str,
    show: Show,
) -> Ruling:
    """What is open, and what would close it; each sample that is not settled says so itself."""
    told = [sample for sample in samples if not math.isnan(sample.low)]
    seen = f"{told[0].level} % interval {_spans(told, show)} {target}; " if told else ""
    still_open = [sample for sample in samples if not settled(sample)]
    if not still_open:
        return Ruling(Outcome.UNDECIDED, f"{seen}seeds and images do not agree")
    needs, more = [], None
    for sample in still_open:
        number = sample.to_decide(gap(sample))
        needs.append(_need(sample, number, show))
        if sample.unit == "seed":
            at_least = LEAST if math.isnan(sample.sd) else number
            more = None if at_least is None else max(at_least - sample.fewest, 1)
    return Ruling(Outcome.UNDECIDED, seen + "; ".join(needs), more)


def _need(sample: Sample, number: int | None, show: Show) -> str:
    """What one sample lacks: ``3 seeds decide nothing yet: about 7 would, at the scatter seen``."""
    each = " of each network" if sample.groups == 2 else ""
    has = sample.numbered()
    if sample.unit == "seed" and math.isnan(sample.sd):
        return f"{has}{' each' if each else ''}: the scatter is not known; {LEAST} seeds{each} at least"
    verb = "decides" if sample.size == 1 else "decide"
    if sample.whole and (number is None or number >= sample.whole):
        return f"{has} {verb} nothing yet: the whole published test set of {sample.whole} would"
    if math.isnan(sample.sd):
        least = f": {LEAST} at least" if sample.size < LEAST else ""
        return f"{has} {verb} nothing yet{least}"
    scatter = f"at the scatter seen ({show(sample.sd).removeprefix('+')})"
    if number is None:
        return (
            f"{has} {verb} nothing, nor would {MOST_VALUES:,} {scatter}: the mean lies at the limit"
        )
    return f"{has} {verb} nothing yet: about {number} {sample.unit}s{each} would, {scatter}"
