"""What training and test have in common that they should not, and what that pretends."""
