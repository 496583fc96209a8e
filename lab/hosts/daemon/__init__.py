"""The process that runs the machines of a lab, and the client that asks it."""
