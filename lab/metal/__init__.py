"""GPU hosts that are virtual machines with a kernel of their own: only the cards are simulated (docs/metal.md)."""
