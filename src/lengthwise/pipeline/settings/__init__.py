"""`params.yaml`: legal values, combinations that make no sense, and the messages for both."""
