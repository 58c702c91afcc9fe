"""The verdict on a change: the working tree compared with a revision, here or in any DVC repository."""
