"""The figures that the README gives, measured: `make bench`."""
