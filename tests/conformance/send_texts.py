"""Sends texts with GOV.UK Notify's own client, and looks for them.

Reads {"base", "key", "template", "texts": [{"number", "values", "reference"}]} as JSON from standard input. Prints what
it is told of the template, and for each text what it is told when it sends and when it looks, or the error.
"""

import json
import logging
import sys

from notifications_python_client.errors import HTTPError
from notifications_python_client.notifications import NotificationsAPIClient

# What is refused is part of the answer.
logging.disable(logging.WARNING)
order = json.load(sys.stdin)
client = NotificationsAPIClient(order["key"], base_url=order["base"], timeout=10)
# No proxies: everything is on this machine.
client.request_session.trust_env = False


def sent(text):
    try:
        answer = client.send_sms_notification(
            phone_number=text["number"],
            template_id=order["template"],
            personalisation=text["values"],
            reference=text["reference"],
        )
        listed = client.get_all_notifications(template_type="sms", reference=text["reference"])
        return {
            "answer": answer,
            "row": client.get_notification_by_id(answer["id"]),
            "listed": listed["notifications"],
        }
    except HTTPError as error:
        return {"status": error.status_code, "errors": error.message}


json.dump(
    {"template": client.get_template(order["template"]), "texts": [sent(text) for text in order["texts"]]}, sys.stdout
)
