// What people see. Everything works without script; with it, the seconds count and the status comes by itself.
import type { Session } from "./sessions.js";

class Html {
  constructor(readonly text: string) {}
}

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** A template whose values are escaped, unless they are made by it too. */
function html(parts: TemplateStringsArray, ...values: (string | number | Html | undefined)[]): Html {
  const shown = values.map((value) =>
    value instanceof Html ? value.text : String(value ?? "").replace(/[&<>"']/g, (found) => ESCAPES[found] ?? ""),
  );
  return new Html(parts.map((part, i) => part + (shown[i] ?? "")).join(""));
}

const none = html``;
const refresh = html`<noscript><meta http-equiv="refresh" content="4"></noscript>`;

function page(title: string, body: Html, error?: string, head = none): string {
  const alert = error ? html`<p class="error" id="error" role="alert">${error}</p>` : none;
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${error ? "Error: " : ""}${title}</title>
<link rel="stylesheet" href="/style.css">
<script src="/page.js" defer></script>
${head}
</head>
<body>
<main>
<h1>${title}</h1>
${alert}
${body}
</main>
</body>
</html>
`.text;
}

const form = (action: string, session: Session, body: Html) =>
  html`<form method="post" action="${action}"><input type="hidden" name="csrf" value="${session.csrf}">${body}</form>`;

const invalid = (error?: string) => (error ? html` aria-invalid="true" aria-describedby="error"` : none);

const seconds = (from: number) => Math.max(0, Math.ceil((from - Date.now()) / 1000));

export const password = (session: Session, error?: string, user = ""): string =>
  page("Sign in", form("/password", session, html`
<label for="user">Name</label>
<input id="user" name="user" value="${user}" required autocomplete="username" autocapitalize="none" spellcheck="false"${invalid(error)}${user ? none : html` autofocus`}>
<label for="password">Password</label>
<input id="password" name="password" type="password" required autocomplete="current-password"${user ? html` autofocus` : none}>
<button>Continue</button>`), error);

export function code(session: Session, error?: string, { note, wrong }: { note?: string; wrong?: boolean } = {}): string {
  const { digits = 6, recipient = "", resendAt = 0 } = session.pending ?? {};
  const wait = seconds(resendAt);
  return page("Type your code", html`
<p role="status">${note ?? html`We have sent a code to <b>${recipient}</b>.`}</p>
${form("/code", session, html`
<label for="code">Code of ${digits} digits</label>
<input id="code" name="code" required autofocus inputmode="numeric" autocomplete="one-time-code" pattern="[0-9 ]*" maxlength="${digits + 4}"${wrong ? invalid(error) : none}>
<button>Sign in</button>`)}
<p><a href="/where">Where is my code?</a></p>
${form("/resend", session, html`<button class="quiet">Send it again</button>${
  wait ? html` <span class="hint" data-seconds="${wait}">in ${wait} s</span>` : none}`)}
${form("/leave", session, html`<button class="quiet">Sign in as somebody else</button>`)}`, error);
}

/** Where the code is, and what to do: the text is Otpost's, for people. */
export function where(session: Session, told: { open: boolean; text: string }): string {
  const again = html`<p><a href="/code">Type the code</a></p>
${form("/resend", session, html`<button class="quiet">Send it again</button>`)}`;
  return page("Where is my code?", html`
<div id="status" role="status"${told.open ? html` data-renew` : none}>
<p>${told.text}</p>
${told.open ? html`<p class="hint">This page renews itself.</p>` : html`<p>The code is good no more.</p>`}
</div>
${told.open ? again : form("/leave", session, html`<button>Start over</button>`)}`, undefined, told.open ? refresh : none);
}

export const home = (session: Session): string =>
  page(`Welcome, ${session.signedIn?.user}`, html`
<p>You are signed in.</p>
<p>${session.signedIn?.secondFactor
    ? "Your code counts as a second factor."
    : "Your code shows that you read your mail. It does not count as a second factor."}</p>
${form("/leave", session, html`<button>Sign out</button>`)}`);

export const trouble = (text: string): string => page("That did not work", html`<p><a href="/">Begin again</a></p>`, text);
