"""Other people's operation counters beside ours."""
