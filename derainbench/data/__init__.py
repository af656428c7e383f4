"""Images on disk: acquired, verified, paired, generated, cut to crops."""
