"""Pages on runs, each one HTML file that opens without a network: templates and the sections that fill them."""
