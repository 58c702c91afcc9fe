"""Runs beside each other on one page: experiments, Git revisions and folders."""
