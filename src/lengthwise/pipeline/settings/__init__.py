"""`params.yaml`: what is legal, what makes sense together, and how the rest is refused."""
