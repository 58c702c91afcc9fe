"""The Blog Authorship Corpus: its archive, its file names, its posts, and an invented sample of it."""
