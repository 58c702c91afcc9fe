"""A trained network's forward pass without TensorFlow: by the native kernel, or by NumPy."""
