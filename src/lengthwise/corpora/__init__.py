"""Where documents come from: each corpus has a package of its own."""
