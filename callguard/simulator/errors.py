"""Twilio's error replies. Codes: https://www.twilio.com/docs/api/errors"""


class ApiError(Exception):
    """A request is refused: the HTTP status, Twilio's code and its words."""

    def __init__(self, http: int, code: int, message: str) -> None:
        super().__init__(message)
        self.http = http
        self.code = code
        self.message = message


def unauthorized() -> ApiError:
    """Wrong credentials, or another account's."""
    return ApiError(401, 20003, "Authenticate")


def not_found(path: str) -> ApiError:
    """No such call, account or resource."""
    return ApiError(404, 20404, f"The requested resource {path} was not found")


def method_not_allowed() -> ApiError:
    """The resource is there, but not for this method."""
    return ApiError(405, 20004, "Method not allowed")


def too_many_requests() -> ApiError:
    """The account has as many requests in flight as it may."""
    return ApiError(429, 20429, "Too Many Requests")


def server_error(http: int) -> ApiError:
    """A fault on Twilio's side."""
    return ApiError(http, 20500 if http == 500 else 20503, "An internal server error has occurred")


def queue_full() -> ApiError:
    """More than 24 hours of calls are waiting."""
    return ApiError(400, 22005, "Call queue is full")


def not_in_progress() -> ApiError:
    """The call has ended, or cannot be redirected yet."""
    return ApiError(400, 21220, "Call is not in-progress. Cannot redirect.")


def invalid(parameter: str, value: str) -> ApiError:
    """A parameter's value is none that Twilio knows."""
    return ApiError(400, 20001, f"Invalid {parameter} provided: {value}")


def missing_page_token() -> ApiError:
    """A page beyond the first was asked for by its number alone."""
    return ApiError(400, 70002, "Paged requests must include a PageToken")
