"""How is it begun? The command `gpu-acceptance`, and the plugin through which any pytest can judge a cloud.

It imports no room before a cloud is named: what only loads it pays for nothing (docs/decisions/0078).
"""
