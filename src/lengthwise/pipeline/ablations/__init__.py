"""What each technique is worth: the pipeline with a few keys changed, over several seeds, beside the full one."""
