"""Where which result lies, and how it is read."""
