"""From an accepted run to a signed certificate, and back: is this directory what was signed?"""
