"""Start the program: `python -m speedtest.router`."""

from speedtest.router.program import main

if __name__ == "__main__":
    main()
