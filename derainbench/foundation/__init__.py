"""What everything stands on: errors, files, progress, devices, records, settings."""
