"""nvidia-smi: what it says of GPUs (query, csv), of the ways between them (topology), and how it fails (failures)."""
