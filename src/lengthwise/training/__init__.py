"""The training loop, and how a killed run goes on."""
