"""What the corpus of the tests calls its units, as blogs do."""

WORDS = {"sentence": "sentence", "document": "document", "group": "author"}
LEVELS = ("sentence", WORDS)
