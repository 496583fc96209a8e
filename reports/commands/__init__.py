"""One file a command of `python -m reports`.

Each has `HELP`, `add_arguments(parser)` and `run(arguments) -> int`, the exit code; the file's name is the command's.
"""
