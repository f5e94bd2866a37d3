"""`python -m callguard.processes.serve FOLDER CONFIG`: gunicorn, with our app and nobody else's.

gunicorn imports from the folder that it is started in before it looks anywhere else, so a `callguard/` or a
`redis.py` that lies there would take the place of ours. Here it starts in FOLDER, which holds our package.
"""

import os
import sys


def main() -> None:
    """Serve until gunicorn is told to stop."""
    folder, config = sys.argv[1:]
    os.chdir(folder)
    # Not before: gunicorn takes note of the current folder as it is imported.
    from gunicorn.app.wsgiapp import run

    sys.argv[1:] = ["callguard.web:create_app()", "--config", config]
    run()


if __name__ == "__main__":
    main()
