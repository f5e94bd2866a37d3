"""The accounts that are guarded."""

from dataclasses import dataclass, field
from enum import Enum

from callguard.domain.addresses import EMERGENCY
from callguard.domain.parties import PartyHasher
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
        policy: the account's policy.
        api_key, api_secret: serve REST in place of the auth token; empty where the token does.
        api_url: where its REST API is, if not where the settings say: each of Twilio's regions has one.
        hasher: makes the keyed hashes of From and To. The key is the first token, so after its rotation equal
            numbers have other hashes, and counts by number begin anew.
    """

    sid: str
    auth_tokens: tuple[str, ...] = field(repr=False)
    shared_keys: tuple[SharedKey, ...] = ()
    policy: Policy = field(default_factory=Policy)
    api_key: str = ""
    api_secret: str = field(default="", repr=False)
    api_url: str = ""
    hasher: PartyHasher = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        policy, secret = self.policy, "".join(self.auth_tokens[:1])
        object.__setattr__(self, "hasher", PartyHasher(policy.never_cancel, secret, policy.repeat_exempt))

    @property
    def rest_credentials(self) -> tuple[str, str]:
        """User and password for REST."""
        return (self.api_key, self.api_secret) if self.api_key else (self.sid, self.auth_tokens[0])

    @property
    def never_cancel_digest(self) -> str:
        """The keyed hash of all addresses that are never cancelled: shows only whether they have changed."""
        return self.hasher.digest("\n".join([*sorted(EMERGENCY), "", *sorted(self.policy.never_cancel)]))
