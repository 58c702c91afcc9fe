"""The stage train: from shards to a saved network, and what a run shows of itself meanwhile."""
