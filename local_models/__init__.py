"""Guards and classifiers: what a local model, or a rule, says of content."""
