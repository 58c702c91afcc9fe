"""The training loop, its step, losses and optimizer, and how a killed training resumes."""
