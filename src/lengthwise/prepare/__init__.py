"""From documents to shards: who is held out, what a token is, which tokens are known, how sequences are stored."""
