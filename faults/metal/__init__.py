"""Faults on a host of the metal tier, put in as its operator would commit them, judged as on the emulated hosts."""
