"""What everything else is made of: sequences, labels, affixes, ragged rows, and every legal name."""
