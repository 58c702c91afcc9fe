"""From the files of a corpus to one table of documents."""
