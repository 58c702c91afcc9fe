"""What layers share that the native kernel or Keras computes: the choice, which may change after training."""

import sys

import keras

# Keras's code that writes a model in a format that runs without Keras.
EXPORTERS = "keras.src.export."


class ComputedByKernel(keras.layers.Layer):
    """A layer with `kernel`, which is `native`, `keras` or `auto`, and `native`, what it comes to here."""

    @property
    def kernel(self) -> str:
        """Which kernel was asked for; what is set counts from the next time that the layer is traced."""
        return self._kernel

    @kernel.setter
    def kernel(self, kernel: str) -> None:
        before, self._kernel = getattr(self, "_kernel", "auto"), kernel
        try:
            self.native = self._chosen() == "native"
        except ValueError:
            self._kernel = before
            raise
        if not hasattr(self, "_jit"):
            # What the layer would say without the native kernel, which XLA does not know.
            self._jit = bool(self.supports_jit)
        self.supports_jit: bool = self._jit and not self.native

    def _chosen(self) -> str:
        """What `self.kernel` comes to: `native` or `keras`."""
        raise NotImplementedError

    def _computes_natively(self) -> bool:
        """Whether the native kernel computes this call."""
        return self.native and self._chosen() == "native" and not _is_exported()


def _is_exported() -> bool:
    """Whether the model is traced by `export`: what it writes must run where the native kernel is not.

    Keras says so nowhere, but that its exporter called.
    """
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_globals.get("__name__", "").startswith(EXPORTERS):
            return True
    return False
