"""Reads a mail from standard input with Python's own parser and decodes its picture with ZXing.

Prints what it found as JSON. Nothing here shares code with what wrote the mail.
"""

import io
import json
import sys
from email import policy
from email.parser import BytesParser

import zxingcpp
from PIL import Image

mail = BytesParser(policy=policy.default).parsebytes(sys.stdin.buffer.read())
pictures = []
for part in mail.walk():
    if part.get_content_maintype() == "image":
        image = Image.open(io.BytesIO(part.get_content()))
        pictures.append(
            {
                "type": part.get_content_type(),
                "disposition": part.get_content_disposition(),
                "content_id": part["Content-ID"],
                "codes": [found.text for found in zxingcpp.read_barcodes(image)],
                "mode": image.mode,
            }
        )
json.dump(
    {
        "defects": [str(defect) for part in mail.walk() for defect in part.defects],
        "structure": [part.get_content_type() for part in mail.walk()],
        "headers": {name: str(value) for name, value in mail.items()},
        "text": mail.get_body(("plain",)).get_content(),
        "html": mail.get_body(("html",)).get_content(),
        "pictures": pictures,
    },
    sys.stdout,
)
