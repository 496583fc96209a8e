"""The sections of a cloud file, one file for each concern."""
