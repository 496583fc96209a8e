"""What is there? Each probe reads one tool or file of a host or an API and returns frozen data, never a judgement."""
