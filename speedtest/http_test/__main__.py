"""Start the program: `python -m speedtest.http_test`."""

from speedtest.http_test.program import main

if __name__ == "__main__":
    main()
