"""Faults: files that say what is broken, and which check must fail for which cause."""
