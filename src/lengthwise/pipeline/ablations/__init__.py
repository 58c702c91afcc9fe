"""What each technique is worth: the pipeline with a few keys changed, over several seeds, beside itself as it is."""
