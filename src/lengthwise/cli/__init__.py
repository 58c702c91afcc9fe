"""The command `lengthwise`."""
