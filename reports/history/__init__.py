"""All runs in one database: what changed, since when, and whether a card is slower than its own past."""
