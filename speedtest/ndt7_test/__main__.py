"""Start the program: `python -m speedtest.ndt7_test`."""

from speedtest.ndt7_test.program import main

if __name__ == "__main__":
    main()
