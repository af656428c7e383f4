"""A configuration run at full size but for the amount, and what it would cost as a whole."""
