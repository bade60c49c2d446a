// A sign-in: the password first, then a code that Otpost sends by mail.
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Otpost, Refused } from "./otpost.js";
import * as pages from "./pages.js";
import { cookie, find, isOurs, readCookie, renew, type Session } from "./sessions.js";
import { knows } from "./users.js";

const { OTPOST_URL, OTPOST_KEY, PORT = "3000" } = process.env;
if (!OTPOST_URL || !OTPOST_KEY) throw new Error("OTPOST_URL and OTPOST_KEY must be set");
// The key is marked `after_first_factor`: codes are asked for only once the password was right.
const otpost = new Otpost(OTPOST_URL, OTPOST_KEY);

const DEVICE_LIFE = 180 * 24 * 3600;
const FILES: Record<string, [type: string, content: Buffer]> = {
  "/style.css": ["text/css", readFileSync(new URL("../public/style.css", import.meta.url))],
  "/page.js": ["text/javascript", readFileSync(new URL("../public/page.js", import.meta.url))],
};

interface Call {
  request: IncomingMessage;
  session: Session;
  form: URLSearchParams;
}
interface Answer {
  status?: number;
  page?: string;
  to?: string;
  session?: Session;
  cookies?: string[];
}

const GET: Record<string, (call: Call) => Promise<Answer>> = {
  async "/"({ session }) {
    if (session.signedIn) return { page: pages.home(session) };
    return session.pending ? { to: "/code" } : { page: pages.password(session) };
  },

  async "/code"({ session }) {
    return session.pending ? { page: pages.code(session) } : { to: "/" };
  },

  async "/where"({ session }) {
    if (!session.pending) return { to: "/" };
    const { standing, message } = await otpost.tell(session.pending.challenge);
    const text = message?.text ?? "Another code has taken its place.";
    return { page: pages.where(session, { open: standing === "open", text }) };
  },
};

const POST: Record<string, (call: Call) => Promise<Answer>> = {
  // A real application also limits how many passwords it looks at.
  async "/password"({ request, session, form }) {
    const user = form.get("user") ?? "";
    if (!(await knows(user, form.get("password") ?? ""))) {
      return { status: 401, page: pages.password(session, "The name or the password is wrong.", user) };
    }
    try {
      const told = await otpost.start(user, readCookie(request, "device"));
      const next = renew(session);
      next.pending = { user, challenge: told.id, digits: told.digits, recipient: told.recipient, resendAt: inSeconds(told.resend_in_seconds) };
      return { to: "/code", session: next };
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 429) throw error;
      return { status: 429, page: pages.password(session, `We cannot send another code yet. Try again in ${error.retryAfter} seconds.`, user) };
    }
  },

  async "/code"({ session, form }) {
    const { pending } = session;
    if (!pending) return { to: "/" };
    const wrong = (text: string) => ({ status: 422, page: pages.code(session, text, { wrong: true }) });
    try {
      const accepted = await otpost.check(pending.challenge, form.get("code") ?? "");
      const next = renew(session);
      // What the answer says counts, not what the browser or the session say.
      next.signedIn = { user: accepted.user ?? "", secondFactor: accepted.authenticates };
      return { to: "/", session: next, cookies: [cookie("device", accepted.source ?? "", DEVICE_LIFE)] };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.status === 400) return wrong(`Type the ${pending.digits} digits of the code.`);
      if (error.kind === "invalid-code") return wrong("This code is wrong or too old. Look for the latest mail, or have it sent again.");
      if (error.kind === "too-many-attempts") return over("Too many wrong codes. Sign in again to get another one.", session);
      throw error;
    }
  },

  async "/resend"({ session }) {
    const { pending } = session;
    if (!pending) return { to: "/" };
    try {
      const told = await otpost.resend(pending.challenge);
      Object.assign(pending, { challenge: told.id, recipient: told.recipient, resendAt: inSeconds(told.resend_in_seconds) });
      return { page: pages.code(session, undefined, { note: `We have sent the code to ${told.recipient} again.` }) };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.kind === "not-allowed-now") return over("Your code is good no more. Sign in again to get another one.", session);
      if (error.status !== 429) throw error;
      pending.resendAt = inSeconds(error.retryAfter);
      return { status: 429, page: pages.code(session, `It is too soon. You can have it sent again in ${error.retryAfter} seconds.`) };
    }
  },

  async "/leave"({ session }) {
    // What cannot be given up just now ends by itself.
    if (session.pending) await otpost.cancel(session.pending.challenge).catch(() => undefined);
    return { to: "/", session: renew(session) };
  },
};

const inSeconds = (seconds: number) => Date.now() + seconds * 1000;

function over(text: string, old: Session): Answer {
  const session = renew(old);
  return { status: 403, page: pages.password(session, text, old.pending?.user), session };
}

async function answer(request: IncomingMessage): Promise<Answer> {
  const path = new URL(request.url ?? "/", "http://host").pathname;
  const known = find(request);
  const session = known ?? renew();
  const route = (request.method === "POST" ? POST : request.method === "GET" ? GET : {})[path];
  if (!route) return { status: 404, page: pages.trouble("There is no such page.") };
  const form = new URLSearchParams(request.method === "POST" ? await body(request) : "");
  if (request.method === "POST" && !isOurs(session, form.get("csrf") ?? "")) {
    return { status: 403, page: pages.trouble("This page was open for too long."), session };
  }
  const answered = await route({ request, session, form });
  return known ? answered : { session, ...answered };
}

async function body(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of request.setEncoding("utf8")) {
    text += part;
    if (text.length > 4096) throw new Error("too much was posted");
  }
  return text;
}

function send(response: ServerResponse, { status, page, to, session, cookies = [] }: Answer): void {
  if (session) cookies.push(cookie("session", session.id));
  if (to) response.setHeader("location", to);
  response.writeHead(status ?? (to ? 303 : 200), { "content-type": "text/html; charset=utf-8", "set-cookie": cookies });
  response.end(page);
}

const server = createServer((request, response) => {
  response.setHeader("content-security-policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
  response.setHeader("referrer-policy", "no-referrer");
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("cache-control", "no-store");
  const file = request.method === "GET" && FILES[request.url ?? ""];
  if (file) return void response.setHeader("content-type", file[0]).end(file[1]);
  answer(request)
    .catch((error: unknown): Answer => {
      console.error(error instanceof Error ? error.message : error);
      return { status: 503, page: pages.trouble("We cannot do this just now. Please try again in a moment.") };
    })
    .then((answered) => send(response, answered));
});
server.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.on("SIGTERM", () => process.exit(0));
