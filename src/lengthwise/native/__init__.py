"""The native kernel: recurrent layers over rows of different lengths, in C++, built on first use."""
