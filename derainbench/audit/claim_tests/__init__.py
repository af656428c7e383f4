"""One function per kind of claim: from a case to verdicts."""
