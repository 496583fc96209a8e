"""What is there: each probe runs one tool on a host and returns data, never a judgement."""
