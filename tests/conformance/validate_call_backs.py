"""Signs and judges call-backs with Twilio's own library.

Reads a list of orders as JSON from standard input and prints a list of answers. An order {"key", "url", "pairs"} or
{"key", "url", "json"} is signed: the answer has the URL's query, the body and the signature as Twilio would send them. An
order {"key", "url", "form", "signature"} or {"key", "url", "json", "signature"} is judged: the answer is whether it is valid.
"""

import json
import sys
from urllib.parse import parse_qsl, urlencode

from twilio.request_validator import RequestValidator


class Pairs(dict):
    """A dictionary of lists, as web frameworks give forms to the library."""

    def __init__(self, pairs):
        super().__init__()
        for name, value in pairs:
            self.setdefault(name, []).append(value)

    def getlist(self, name):
        return self[name]


def signed(validator, order):
    if "json" in order:
        between = "&" if "?" in order["url"] else "?"
        added = f"{between}bodySHA256={validator.compute_hash(order['json'])}"
        signature = validator.compute_signature(order["url"] + added, {})
        return {"added": added, "body": order["json"], "signature": signature}
    signature = validator.compute_signature(order["url"], Pairs(order["pairs"]))
    return {"added": "", "body": urlencode([tuple(pair) for pair in order["pairs"]]), "signature": signature}


def valid(validator, order):
    if "json" in order:
        return validator.validate(order["url"], order["json"], order["signature"])
    pairs = parse_qsl(order["form"], keep_blank_values=True)
    return validator.validate(order["url"], Pairs(pairs), order["signature"])


answers = []
for order in json.load(sys.stdin):
    validator = RequestValidator(order["key"])
    answers.append((valid if "signature" in order else signed)(validator, order))
json.dump(answers, sys.stdout)
