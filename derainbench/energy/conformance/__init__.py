"""Whether a model keeps the contract of this benchmark, whoever wrote it."""
