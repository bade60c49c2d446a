// DefineAuthChallenge: what comes next. It asks nobody: Cognito tells what was answered so far.
import { PASSWORD_FIRST } from "./otpost.mjs";

// Codes and wishes for another mail together: Cognito tells only which were right. Otpost counts the wrong codes.
const MOST_ANSWERS = 6;

export async function handler(event) {
  const { session, userNotFound } = event.request;
  const last = session.at(-1);
  const knowsPassword = session.some((step) => step.challengeName === "PASSWORD_VERIFIER" && step.challengeResult === true);
  const answers = session.filter((step) => step.challengeName === "CUSTOM_CHALLENGE").length;
  const next = (challengeName) => ({ challengeName, issueTokens: false, failAuthentication: false });
  const failed = { issueTokens: false, failAuthentication: true };

  if (PASSWORD_FIRST && session.length === 1 && last.challengeName === "SRP_A") {
    event.response = next("PASSWORD_VERIFIER");
  } else if (PASSWORD_FIRST && !knowsPassword) {
    // The client has a say in how it begins: without the password nothing goes on.
    event.response = failed;
  } else if (last?.challengeName === "CUSTOM_CHALLENGE" && last.challengeResult === true) {
    event.response = userNotFound ? failed : { issueTokens: true, failAuthentication: false };
  } else {
    event.response = answers < MOST_ANSWERS ? next("CUSTOM_CHALLENGE") : failed;
  }
  return event;
}
