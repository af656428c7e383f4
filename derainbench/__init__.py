"""The harness of the ESDNet reproducibility benchmark."""

__version__ = "0.1.0"
