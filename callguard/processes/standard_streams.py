"""Standard input, output and error, of which whoever starts us may have closed some."""

import os
import sys


def open_closed_streams() -> None:
    """Open `/dev/null` in place of each standard stream that is closed.

    Else the next file or socket gets its number, and is what a child program takes for its standard input.
    """
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(fd)
        except OSError:
            os.dup2(null := os.open(os.devnull, os.O_RDWR), fd)
            os.set_inheritable(fd, True)
            if null != fd:
                os.close(null)
            setattr(sys, name, os.fdopen(fd, mode))
