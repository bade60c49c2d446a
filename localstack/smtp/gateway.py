"""A server of mail on 127.0.0.1 that hands every mail on over HTTP, as it is.

It takes mail after STARTTLS and AUTH PLAIN or LOGIN only. Some recipients mean trouble, by what stands before the @:

    bounce550   refused: nobody of that name
    full552     refused: the mailbox is full
    busy451     not now
    spam554     taken as a recipient, and the mail refused when it was read

Variables: GATEWAY_PORT, GATEWAY_CERTIFICATE and GATEWAY_KEY (files in PEM), GATEWAY_USER, GATEWAY_PASSWORD, and
GATEWAY_INTAKE, the URL that each mail is posted to and that answers with the mail's id.
"""

import asyncio
import hmac
import os
import ssl
import urllib.error
import urllib.request

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

HOST = "127.0.0.1"
LARGEST = 16 << 20
# How long the intake may take, in seconds.
PATIENCE = 10
REFUSED = {
    "bounce550": "550 5.1.1 <{}>: there is no mailbox of this name",
    "full552": "552 5.2.2 <{}>: the mailbox is full",
    "busy451": "451 4.3.0 <{}>: try again later",
}
REFUSED_WHEN_READ = {"spam554": "554 5.7.1 The mail looks like spam"}
# Proxies of the environment are for what is outside.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def local_part(address):
    return address.rpartition("@")[0].lower()


class Desk:
    """Takes mails and hands them to the intake."""

    def __init__(self, intake):
        self.intake = intake

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = REFUSED.get(local_part(address))
        if refusal:
            return refusal.format(address)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):
        for address in envelope.rcpt_tos:
            refusal = REFUSED_WHEN_READ.get(local_part(address))
            if refusal:
                return refusal
        try:
            taken = await asyncio.to_thread(self.hand_on, envelope.content)
        except (OSError, ValueError):
            return "451 4.3.0 The mail cannot be kept now"
        return f"250 2.0.0 Ok: queued as {taken}"

    def hand_on(self, mail):
        request = urllib.request.Request(self.intake, data=mail, headers={"content-type": "message/rfc822"})
        with DIRECT.open(request, timeout=PATIENCE) as answer:
            return answer.read(256).decode("ascii").strip()


def login(user, password):
    """Says whether credentials are these; the comparison takes as long for wrong ones."""

    def authenticate(server, session, envelope, mechanism, given):
        good = isinstance(given, LoginPassword) and all(
            [hmac.compare_digest(given.login, user.encode()), hmac.compare_digest(given.password, password.encode())]
        )
        # Not handled: then the server itself says that the credentials are not valid.
        return AuthResult(success=good, handled=False)

    return authenticate


async def serve(variables):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(variables["GATEWAY_CERTIFICATE"], variables["GATEWAY_KEY"])
    desk = Desk(variables["GATEWAY_INTAKE"])
    authenticator = login(variables["GATEWAY_USER"], variables["GATEWAY_PASSWORD"])
    loop = asyncio.get_running_loop()

    def connection():
        return SMTP(
            desk,
            hostname="mail.example.net",
            ident="local gateway",
            data_size_limit=LARGEST,
            tls_context=tls,
            require_starttls=True,
            auth_required=True,
            authenticator=authenticator,
            timeout=60,
            loop=loop,
        )

    server = await loop.create_server(connection, HOST, int(variables["GATEWAY_PORT"]))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(os.environ))
