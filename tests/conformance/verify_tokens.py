"""Checks tokens with GOV.UK Notify's own client, which its servers use too.

Reads a list of {"key", "token"} as JSON from standard input. Prints for each what the token says, whether it is good
for its key, and what is said of it with another key.
"""

import json
import sys

from notifications_python_client.authentication import decode_jwt_token, decode_token, get_token_issuer
from notifications_python_client.base import BaseAPIClient
from notifications_python_client.errors import TokenError


def judged(token, secret):
    try:
        return "good" if decode_jwt_token(token, secret) else "bad"
    except TokenError as error:
        return type(error).__name__


answers = []
for order in json.load(sys.stdin):
    # As the client itself cuts a key.
    client = BaseAPIClient(order["key"])
    token = order["token"]
    answers.append(
        {
            "service": client.service_id,
            "issuer": get_token_issuer(token),
            "claims": sorted(decode_token(token)),
            "judged": judged(token, client.api_key),
            "with_another": judged(token, client.service_id),
        }
    )
json.dump(answers, sys.stdout)
