"""Find the mistake in the files before a deploy of ninety minutes finds it."""
