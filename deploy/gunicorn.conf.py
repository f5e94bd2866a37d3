"""How gunicorn serves CallGuard: `gunicorn wsgi:app --config deploy/gunicorn.conf.py`.

`callguard up` uses this file too. Settings: https://docs.gunicorn.org/en/stable/settings.html
"""

import gc
import os
import select
import sys
import time
from contextlib import suppress
from functools import partial
from typing import Any

bind = os.environ.get("CALLGUARD_BIND", "").strip() or "127.0.0.1:8000"
_workers = os.environ.get("CALLGUARD_WEB_WORKERS", "").strip() or "2"
if not _workers.isdecimal() or int(_workers) < 1:
    sys.exit("CALLGUARD_WEB_WORKERS: should be a whole number from 1. Write for example CALLGUARD_WEB_WORKERS=2")
workers = int(_workers)

# gevent's, with an end to every request: a stalled body holds a greenlet, not a thread, and not for long. Where
# more connections come than these, the oldest give way.
worker_class = "callguard.processes.web_worker.WebWorker"
worker_connections = 1000

# `timeout` is a sign of life of the worker process, not a limit on requests.
timeout = 30
graceful_timeout = 10
keepalive = 5

# Twilio's callbacks have some 20 short headers. What a proxy says of the URL is not believed anyway:
# signatures are checked against CALLGUARD_PUBLIC_URL.
limit_request_line = 4094
limit_request_fields = 50
limit_request_field_size = 8190
forwarded_allow_ips = ""
forwarder_headers = ""
header_map = "drop"

# The control socket would take commands from whoever can open it, and a second instance steals its path.
control_socket_disable = True

accesslog = None
errorlog = "-"
proc_name = "callguard"


# How long old workers go on at most while new ones load the app, at SIGHUP.
BOOT_SECONDS = 30.0
_ready: tuple[int, int] | None = None


def post_worker_init(worker: Any) -> None:
    """Let each web process remember what people decide, so that it outlives an emptied Redis."""
    if _ready is not None:
        for_master, ours = _ready
        os.close(for_master)
        with suppress(OSError):  # the master has waited long enough
            os.write(ours, b"1")
        os.close(ours)
    if (parts := getattr(worker.app.wsgi(), "extensions", {}).get("callguard")) is not None:
        from callguard.watch.repeated import Repeated

        Repeated("decisions", partial(parts.stores.decisions.follow, list(parts.accounts))).start()
    # What is loaded by now stays for good: no collection needs to look at it again.
    gc.collect()
    gc.freeze()


def on_starting(server: Any) -> None:
    """Check the settings and log them once, before any worker starts; and again at each SIGHUP."""
    from callguard.config.errors import ConfigurationError

    try:
        _apply_settings(server)
    except ConfigurationError as error:
        sys.exit(str(error))
    reload = server.handle_hup

    def handle_hup() -> None:
        """Reload good settings only: gunicorn ends when a new worker cannot load its application."""
        try:
            _apply_settings(server, again=True)
        except (ConfigurationError, SystemExit) as error:
            server.log.error("SIGHUP: nothing was changed: %s", error)
        else:
            reload()

    server.handle_hup = handle_hup


def on_reload(server: Any) -> None:
    """Keep the old workers until the new ones serve, and set up gunicorn's new log like the one before it."""
    from callguard.config.errors import ConfigurationError

    # Should the file have changed since it was looked at: the new workers say what is wrong.
    with suppress(ConfigurationError):
        _apply_settings(server)
    _keep_old_workers(server)


def _keep_old_workers(server: Any) -> None:
    """gunicorn ends them as soon as it has forked new ones, which take a second or more to load the app."""
    global _ready
    manage, _ready = server.manage_workers, os.pipe()

    def manage_once_they_serve() -> None:
        server.manage_workers = manage
        if not _new_workers_serve(server.cfg.workers):
            server.log.warning("SIGHUP: new workers do not serve yet, and the old ones end")
        manage()

    server.manage_workers = manage_once_they_serve


def _new_workers_serve(count: int) -> bool:
    """Return once so many have told that they serve, or once that takes too long or cannot be any more."""
    global _ready
    if _ready is None:
        return False
    (ready, theirs), _ready = _ready, None
    os.close(theirs)
    deadline = time.monotonic() + BOOT_SECONDS
    while count > 0 and select.select([ready], [], [], max(0.0, deadline - time.monotonic()))[0]:
        told = len(os.read(ready, count))
        if not told:  # all that are left of them have ended
            break
        count -= told
    os.close(ready)
    return count <= 0


def _apply_settings(server: Any, *, again: bool = False) -> None:
    from callguard.startup import start

    settings = start(again=again)
    if settings.redis_url is None:
        sys.exit(
            "CALLGUARD_REDIS_URL is not set. Write for example CALLGUARD_REDIS_URL=redis://localhost:6379/0, "
            "or run `callguard up`, which starts an embedded Valkey."
        )
    # Here, and not as gunicorn's `loglevel`: it may stand in the TOML file.
    server.log.error_log.setLevel(settings.log_level)
