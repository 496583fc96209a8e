"""The emulated undercloud: TripleO's commands, as an operator types them."""
