// What the three triggers share: Otpost's API, and who is who there.
import { createHash } from "node:crypto";

// The key from the environment is for trying it. Deployed, keep it in AWS Secrets Manager, and let the function read it once
// when it starts: by the Parameters and Secrets extension, or by GetSecretValue of the SDK that Lambda brings along.
const { OTPOST_URL, OTPOST_KEY } = process.env;

/** Whether Cognito asks for the password before the code. Then the key is marked `after_first_factor`; else it is not. */
export const PASSWORD_FIRST = process.env.PASSWORD_FIRST !== "false";

/** One call; what was answered. `once` is an Idempotency-Key. Who cannot be asked is no wrong code: that throws. */
export async function otpost(method, path, body, once) {
  const answer = await fetch(`${OTPOST_URL}/v1/challenges${path}`, {
    method,
    headers: {
      authorization: `Bearer ${OTPOST_KEY}`,
      ...(body && { "content-type": "application/json" }),
      ...(once && { "idempotency-key": once }),
    },
    body: body && JSON.stringify(body),
    // Cognito waits five seconds for a trigger, and then calls it again.
    signal: AbortSignal.timeout(4_000),
  });
  if (answer.status >= 500 || answer.status === 401 || answer.status === 403) throw new Error(`Otpost answers ${answer.status}`);
  return { status: answer.status, wait: answer.headers.get("retry-after"), said: await answer.json() };
}

/** The name under which Otpost knows the user: an attribute of theirs, or the name at Cognito. */
export function userOf({ userName, request }) {
  const name = request.userAttributes?.["custom:otpost_user"] ?? userName;
  // Otpost takes no other characters. Whoever typed such a name is nobody, and is to look like everybody.
  return /^(?!\.*$)[\w.@+-]{1,128}$/.test(name) ? name.toLowerCase() : createHash("sha256").update(name).digest("hex");
}
