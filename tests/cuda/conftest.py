"""Makes what other tests of this repository share importable."""
