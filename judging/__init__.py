"""When is it right? Compares what probes found with what is expected; no host and no API is asked here."""
