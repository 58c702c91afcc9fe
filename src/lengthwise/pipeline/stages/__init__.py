"""What a stage does with files: it reads them, calls the library, and writes others."""
