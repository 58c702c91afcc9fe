"""What DVC runs: params, stages, ablations and sweeps."""
