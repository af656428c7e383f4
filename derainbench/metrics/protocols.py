"""Named, frozen ways of computing PSNR and SSIM. No score is shown without its protocol's name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args


@dataclass(frozen=True)
class Protocol:
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


ProtocolName = Literal["esdnet", "matlab-uint8", "matlab-double", "rgb", "vlif", "spikerain"]

PROTOCOLS = {
    p.name: p
    for p in (
        Protocol("esdnet", "Y, float, 4-pixel border cropped (ESDNet's script)", border=4),
        Protocol("matlab-uint8", "Y rounded to 8 bits (Restormer's script)", round_luma=True),
        Protocol("matlab-double", "Y, float (PReNet's script)"),
        Protocol("rgb", "RGB, PSNR from the error over all channels, SSIM averaged", luma=False),
        Protocol(
            "vlif",
            "RGB before rounding to 8 bits, SSIM with a 7x7 uniform window (VLIF's script)",
            luma=False,
            uniform=True,
            unrounded=True,
        ),
        Protocol(
            "spikerain",
            "RGB of images resized to 512x512, SSIM of their grey with a 7x7 uniform window "
            "(SpikeRain's metrics.py)",
            luma=False,
            side=512,
            uniform=True,
            grey_ssim=True,
        ),
    )
}

PROTOCOL_NAMES: tuple[ProtocolName, ...] = get_args(ProtocolName)
DEFAULT_PROTOCOL = PROTOCOL_NAMES[0]  # of figures and of claims that name none


def present_protocols(names: Iterable[str]) -> list[ProtocolName]:
    """The protocols among names, in their order; files of older versions lack some."""
    present = set(names)
    return [name for name in PROTOCOL_NAMES if name in present]
