"""The harness of a reproducibility benchmark for spiking deraining networks; it names no paper."""

__version__ = "0.1.0"
