"""The figures of README.md beside this file, measured: `make bench`."""
