"""The sections of the report: each says in a sentence, computed too, what its charts show."""
