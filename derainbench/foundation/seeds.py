"""How large a seed may be."""

# 40 bits. A training gives epoch e the seed 1,000,003 * seed + e, and torch takes 64 bits.
MAX_SEED = 2**40 - 1
