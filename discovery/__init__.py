"""What is there to accept? Looks at a cloud, changes nothing, and writes its cloud file."""
