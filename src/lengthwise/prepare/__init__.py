"""From documents to shards: tokens, splits, vocabulary, and encoded sequences."""
