"""What was comparison about spikes at rain, in a few lines."""

from __future__ import annotations

from typing import Any

LABELS = {
    "counterpart": "rain − clean counterpart (same places)",
    "within": "rain − clean places of the same image",
    "content": "those two sets of places, in the clean image",
}


def spike_sentences(result: dict[str, Any]) -> list[str]:
    """The content of a ``spikes.json`` in one line per comparison and weighting."""
    lines = []
    for name, comparison in result["comparisons"].items():
        depths = comparison["depths"]
        lines.append(
            f"{LABELS[name]}: higher at {depths['higher']} of {depths['number']} depths, "
            f"lower at {depths['lower']}, undecided at {depths['undecided']}"
        )
        for key, alike in (("by_depth", "depth"), ("by_neuron", "neuron")):
            total = comparison[key]
            lines.append(
                f"  every {alike} alike: {total['verdict']}, {total['firing_rate']:.4f} against "
                f"{total['firing_rate_other']:.4f} spikes per neuron and step, difference "
                f"{total['difference']:+.4f} [{total['low']:+.4f}, {total['high']:+.4f}], "
                f"{total['images']} images"
            )
    return lines
