"""`python -m lengthwise.cli`: the command `lengthwise` of this interpreter."""

from lengthwise.cli.app import main

if __name__ == "__main__":
    main()
