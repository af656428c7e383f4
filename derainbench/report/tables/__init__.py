"""The tables: one file per table or family of tables."""
