// CreateAuthChallenge: has a code sent, once; after each answer that was not right it tells how far the challenge is.
// For users that there are not (`userNotFound`) it does the very same: Otpost tells nobody from somebody.
import { randomUUID } from "node:crypto";
import { otpost, PASSWORD_FIRST, userOf } from "./otpost.mjs";

export async function handler(event) {
  // What was kept at the first code of this sign-in. The client gets it as part of an encrypted session only.
  let id = event.request.session.find((step) => step.challengeName === "CUSTOM_CHALLENGE")?.challengeMetadata;
  const first = id === undefined;
  const locale = /^[a-z]{2}/i.exec(event.request.clientMetadata?.locale ?? "")?.[0] ?? "en";
  const { status, wait, said } = first
    ? await otpost("POST", "", { user: userOf(event), purpose: "sign_in" })
    : await otpost("GET", `/${id}?locale=${locale}`);
  // The client is shown this sentence.
  if (status === 429) throw new Error(`Too soon for another code: wait ${wait} seconds`);
  if (status >= 400) throw new Error(`Otpost answers ${status}: ${said.type}`);
  id ??= said.id;

  event.response = {
    // For the client: values are text.
    publicChallengeParameters: {
      standing: said.standing ?? "open",
      expires_in_seconds: String(said.expires_in_seconds),
      resend_in_seconds: String(said.resend_in_seconds),
      ...(first && { digits: String(said.digits) }),
      // Only for people who have shown a password. To other keys Otpost makes the recipient up.
      ...(first && PASSWORD_FIRST && { channel: said.channel, recipient: said.recipient }),
      ...(said.message && { text: said.message.text, advice: said.message.advice }),
    },
    // For VerifyAuthChallengeResponse. `turn` is new for each answer, and the same when Cognito calls again.
    privateChallengeParameters: { id, turn: randomUUID() },
    // For the next of these calls. Once is enough: all steps travel in one session.
    challengeMetadata: first ? id : "again",
  };
  return event;
}
