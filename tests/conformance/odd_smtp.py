"""A server of mail that misbehaves: odd_smtp.py HOW CERTIFICATE KEY. It prints its port and serves until it is ended."""

import asyncio
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

how, certificate, key = sys.argv[1:]


async def forever():
    await asyncio.get_running_loop().create_future()


class Odd(SMTP):
    async def _handle_client(self):
        if how == "hangs_at_the_greeting":
            await forever()
        await super()._handle_client()


class Handler:
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        if how == "hangs_at_ehlo":
            await forever()
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):
        if how == "hangs_at_rcpt":
            await forever()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if how == "drops_after_data":
            server.transport.abort()
        if how == "hangs_after_data":
            await forever()
        if how == "takes_late":
            await asyncio.sleep(1)
        return {
            "says_451_late": "451 4.3.0 Try again",
            "says_550_late": "550 5.7.1 Refused",
        }.get(how, "250 OK")


def refuse(server, session, envelope, mechanism, data):
    return AuthResult(success=False, handled=False)


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.get_running_loop().create_server(
        lambda: Odd(Handler(), hostname="odd.example.org", tls_context=context, authenticator=refuse),
        "127.0.0.1",
        0,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
