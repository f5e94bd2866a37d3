"""The accounts that are guarded."""

from dataclasses import dataclass, field
from enum import Enum

from callguard.domain.policy import Policy


class SignatureAlgorithm(Enum):
    """How a SharedKey signs, in the words of `X-Twilio-Webhooks-Signature-Settings`."""

    SHA1 = "HMAC_SHA1"
    SHA256 = "HMAC_SHA256"


@dataclass(frozen=True, slots=True)
class SharedKey:
    """A key that signs webhooks in place of the auth token.

    Source: https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys (public beta).
    """

    id: str
    secret: str = field(repr=False)
    algorithm: SignatureAlgorithm = SignatureAlgorithm.SHA256


@dataclass(frozen=True, slots=True)
class Account:
    """One Twilio account.

    Attributes:
        sid: `AC` and 32 lower-case hex digits.
        auth_tokens: the first is used for REST; every one is good for a signature, so that a rotation loses
            no callback.
        shared_keys: further keys for signatures.
        policy: what the operator wants for it.
    """

    sid: str
    auth_tokens: tuple[str, ...] = field(repr=False)
    shared_keys: tuple[SharedKey, ...] = ()
    policy: Policy = field(default_factory=Policy)
