"""Corpora that are tables: a row a document, with its text and its labels in columns."""
