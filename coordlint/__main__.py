"""`python -m coordlint`."""

from coordlint.cli import main

if __name__ == "__main__":
    main()
