"""How a GPU cloud is made: every step looks first, then makes what is missing."""
