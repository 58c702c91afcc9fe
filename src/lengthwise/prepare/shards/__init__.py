"""From sentences of tokens to shards of encoded sequences, sorted by length."""
