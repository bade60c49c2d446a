// What the server remembers of a browser. In memory here; a real application has a store that its servers share.
import { randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

export interface Session {
  id: string;
  csrf: string;
  until: number;
  /** The password was right, and a code is asked for. The challenge's id never leaves the server. */
  pending?: { user: string; challenge: string; digits: number; recipient: string; resendAt: number };
  signedIn?: { user: string; secondFactor: boolean };
}

const LIFE = 30 * 60_000;
const MOST = 10_000;
const sessions = new Map<string, Session>();
const token = () => randomBytes(32).toString("base64url");

// With https, browsers keep a __Host- cookie to this very host and to https. On http://localhost they would not keep it at all.
const SECURE = (process.env.PUBLIC_URL ?? "").startsWith("https://");
const name = (plain: string) => (SECURE ? `__Host-${plain}` : plain);

export const cookie = (plain: string, value: string, seconds?: number): string =>
  `${name(plain)}=${value}; Path=/; HttpOnly; SameSite=Lax${SECURE ? "; Secure" : ""}` +
  (seconds === undefined ? "" : `; Max-Age=${seconds}`);

export function readCookie(request: IncomingMessage, plain: string): string | undefined {
  const pairs = (request.headers.cookie ?? "").split(/; */).map((pair) => pair.split("="));
  return pairs.find(([key]) => key === name(plain))?.[1];
}

/** A new session in the place of `old`: whoever gets further gets another id, so that nobody can have fixed it before. */
export function renew(old?: Session): Session {
  if (old) sessions.delete(old.id);
  for (const [id, { until }] of sessions) {
    if (until > Date.now() && sessions.size < MOST) break; // the oldest come first
    sessions.delete(id);
  }
  const session = { id: token(), csrf: token(), until: Date.now() + LIFE };
  sessions.set(session.id, session);
  return session;
}

export function find(request: IncomingMessage): Session | undefined {
  const session = sessions.get(readCookie(request, "session") ?? "");
  return session && session.until > Date.now() ? session : undefined;
}

/** Whether a form is one that we gave to this session. */
export function isOurs(session: Session, given: string): boolean {
  const [ours, theirs] = [Buffer.from(session.csrf), Buffer.from(given)];
  return ours.length === theirs.length && timingSafeEqual(ours, theirs);
}
