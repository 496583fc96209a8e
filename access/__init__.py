"""How is it reached? Hosts by SSH or locally, OpenStack's APIs, their errors, and waiting for them."""
