"""The command `lengthwise`: one function per command, which imports what it needs when it runs."""
