"""What documents are, and how text becomes tokens: kept beside what is made of them, and read by all later stages."""
