"""Whether a change made a run better or worse: two runs, figure by figure, of this pipeline or of any repository."""
