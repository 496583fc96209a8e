"""nvidia-smi: GPUs (query), the connections between them (topology), and how it reports failures (failures)."""
