"""How is it made? Each step looks first, then makes what is missing, and writes it into the ledger before."""
