"""The undercloud's part: nodes, environment files, puppet modules, overcloud deploy."""
