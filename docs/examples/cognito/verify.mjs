// VerifyAuthChallengeResponse: checks what was typed, or has the code sent again.
import { otpost, PASSWORD_FIRST, userOf } from "./otpost.mjs";

/** Cognito knows right and wrong answers and nothing else: so the wish for another mail is an answer that is never right. */
const RESEND = "resend";

export async function handler(event) {
  const { challengeAnswer, privateChallengeParameters, userNotFound } = event.request;
  const { id, turn } = privateChallengeParameters;
  event.response = { answerCorrect: false };
  if (challengeAnswer === RESEND) {
    // If it is too soon, nothing is sent; CreateAuthChallenge tells how many seconds to wait.
    await otpost("POST", `/${id}/resend`, {}, turn);
    return event;
  }
  const { status, said } = await otpost("POST", `/${id}/check`, { code: challengeAnswer, purpose: "sign_in" }, turn);
  const accepted = status === 200 && said.user === userOf(event) && !userNotFound;
  // Without a password the code is all there is. Then it has to be one that policy lets authenticate: no e-mail, by itself.
  event.response.answerCorrect = accepted && (PASSWORD_FIRST || said.authenticates);
  return event;
}
