"""Named, frozen ways of computing PSNR and SSIM. No score is shown without its protocol's name.

``catalog/protocols.yaml`` holds those in common use, the folder of a paper those of its own scripts.
How a protocol is computed: :mod:`derainbench.metrics.full_reference`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator

from derainbench.catalog.files import matching, read_yaml
from derainbench.foundation.errors import BenchError
from derainbench.foundation.reads import cache
from derainbench.foundation.settings import Strict, check
from derainbench.foundation.suggestions import did_you_mean

CATALOG_FILES = ("protocols.yaml", "papers/*/protocols.yaml")


class Protocol(Strict):
    """A way of scoring.

    Attributes:
        name: identifier used in every file.
        description: one phrase for captions.
        luma: compare BT.601 Y instead of RGB.
        round_luma: round Y to 8 bits first.
        border: pixels cropped at every side.
        side: both images are first resized to squares of this side (OpenCV, bilinear, 8 bits).
        uniform: SSIM by scikit-image's defaults, a 7x7 uniform window and sample covariance.
        grey_ssim: SSIM on OpenCV's 8-bit grey, while PSNR takes the colours.
        unrounded: the restored image is scored before it is rounded to 8 bits, where that is at
            hand: by whoever restores, not by whoever reads an image file.
    """

    name: str
    description: str
    luma: bool = True
    round_luma: bool = False
    border: int = 0
    side: int | None = None
    uniform: bool = False
    grey_ssim: bool = False
    unrounded: bool = False


@cache
def protocols() -> dict[str, Protocol]:
    """Every protocol by name: those in common use, then those of the papers in alphabetical order.

    Raises:
        BenchError: for a mistake in a file, or a name that comes twice, in one line.
    """
    found: dict[str, Protocol] = {}
    common, of_papers = CATALOG_FILES
    for file in (*matching(common), *matching(of_papers)):
        for name, values in read_yaml(file).items():
            if name in found:
                raise BenchError(f"{file}: a protocol '{name}' is there already")
            found[name] = check(Protocol, {**values, "name": name}, f"{file}: {name}")
    return found


def protocol_names() -> tuple[str, ...]:
    """The names of all protocols, in their order."""
    return tuple(protocols())


def default_protocol() -> str:
    """The protocol of figures and of claims that name none: the first one."""
    return protocol_names()[0]


def present_protocols(names: Iterable[str]) -> list[str]:
    """The protocols among names, in their order; files of older versions lack some."""
    present = set(names)
    return [name for name in protocol_names() if name in present]


def luma_protocols() -> tuple[str, ...]:
    """Those that compare Y instead of RGB."""
    return tuple(name for name, protocol in protocols().items() if protocol.luma)


def _known(name: str) -> str:
    if name not in protocols():
        raise ValueError(f"unknown protocol '{name}'{did_you_mean(name, protocol_names())}")
    return name


ProtocolName = Annotated[str, AfterValidator(_known)]  # in settings: a protocol that there is
