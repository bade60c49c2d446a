// Otpost's challenges: codes that are sent to somebody and asked of them.
import { randomUUID } from "node:crypto";
import type { components } from "./otpost-api.js";

type Schemas = components["schemas"];

/** Otpost said no. `kind` is one of the names in docs/problems. */
export class Refused extends Error {
  constructor(readonly status: number, readonly kind: string, detail: string, readonly retryAfter: number) {
    super(detail);
  }
}

export class Otpost {
  constructor(private readonly url: string, private readonly key: string) {}

  /** Sends a code to the user, or says the same again of one that is on its way. */
  start = (user: string, source?: string): Promise<Schemas["Challenge"]> =>
    this.call("POST", "", { user, purpose: "sign_in", channel: "email", source } satisfies Schemas["CodeToSend"]);

  /** How far the challenge is, with words for the person who waits. */
  tell = (id: string): Promise<Schemas["ChallengeStanding"]> => this.call("GET", `/${id}?locale=en`);

  /** Checks what was typed. A right code is accepted once. */
  check = (id: string, code: string): Promise<Schemas["ChallengeAccepted"]> =>
    this.call("POST", `/${id}/check`, { code, purpose: "sign_in", remember_source: true } satisfies Schemas["TypedCode"]);

  /** Sends the same code once more. */
  resend = (id: string): Promise<Schemas["Challenge"]> =>
    this.call("POST", `/${id}/resend`, { channel: "email" } satisfies Schemas["Resend"]);

  /** Gives the challenge up. */
  cancel = (id: string): Promise<void> => this.call("POST", `/${id}/cancel`);

  private async call<T>(method: string, path: string, body?: object): Promise<T> {
    const order = {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        // The same in the second try: so it sends nothing twice and counts once.
        "idempotency-key": randomUUID(),
        ...(body && { "content-type": "application/json" }),
      },
      ...(body && { body: JSON.stringify(body) }),
    };
    const send = () => fetch(`${this.url}/v1/challenges${path}`, { ...order, signal: AbortSignal.timeout(8_000) });
    let answer = await send().catch(() => undefined);
    if (!answer || answer.status >= 500) answer = await send();
    if (answer.status === 204) return undefined as T;
    const said = await answer.json().catch(() => ({}));
    if (answer.ok) return said as T;
    // API Gateway's own refusals have no `type`.
    const { type = "", detail = "", instance = "" } = said as Partial<Schemas["Problem"]>;
    const kind = type.replace("urn:otpost:problem:", "");
    console.error(`otpost: ${method} ${answer.status} ${kind} ${instance}`);
    throw new Refused(answer.status, kind, detail, Number(answer.headers.get("retry-after") ?? 1));
  }
}
