"""Which sequences come together in a batch (a plan, from lengths alone), and the arrays that come of it."""
