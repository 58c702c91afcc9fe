"""What documents of the project say of the blogs and of what was run on them."""
