"""Signs a request with a library that knows RFC 9421 and nothing of Otpost.

Reads {"method", "url", "body", "nonce"} as JSON from standard input; prints the request's headers as JSON.
"""

import base64
import datetime
import json
import sys
from types import SimpleNamespace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms

order = json.load(sys.stdin)
private = Ed25519PrivateKey.generate()
public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


class Keys(HTTPSignatureKeyResolver):
    def resolve_private_key(self, key_id):
        return private

    def resolve_public_key(self, key_id):
        return private.public_key()


request = SimpleNamespace(method=order["method"], url=order["url"], headers={})
HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=Keys()).sign(
    request,
    key_id=base64.urlsafe_b64encode(public).decode().rstrip("="),
    created=datetime.datetime.now(datetime.timezone.utc),
    nonce=order["nonce"],
    covered_component_ids=("@method", "@path", "content-digest"),
    body=order["body"].encode(),
)
json.dump(dict(request.headers), sys.stdout)
