"""The overcloud's part: image, tenant, flavors, stacks."""
