// Somebody with a telephone, in a headless Chromium: does what standard input says, a line of JSON at a time.
//
//   {"open": URL} {"fill": [LABEL, TEXT]} {"press": NAME} {"follow": NAME} {"wait": TEXT} {"cookies": true} {"picture": PATH}
//
// Answers each by a line of JSON with what is on the screen then: {"path", "title", "text", "alert", "focus", "invalid",
// "wide", "source", "complaints"} or, for the cookies, a list of them. Ends with its input. CHROMIUM names the browser where
// it is not in its usual place, MARK is an argument of its processes by which they can be found.

import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", `--otpost-test=${process.env.MARK}`];

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
const context = await browser.newContext({ viewport: { width: 375, height: 667 }, isMobile: true, hasTouch: true });
context.setDefaultTimeout(15_000);
const page = await context.newPage();

// What the browser itself finds wrong, such as a script that the page's policy does not allow. A status of 4xx is not.
const complaints = [];
page.on("pageerror", (error) => complaints.push(error.message));
page.on("console", (message) => {
  if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) complaints.push(message.text());
});

async function act({ open, fill, press, follow, wait, cookies, picture }) {
  if (open) await page.goto(open);
  if (fill) await page.getByLabel(fill[0]).fill(fill[1]);
  if (press) await Promise.all([page.waitForEvent("load"), page.getByRole("button", { name: press, exact: true }).click()]);
  if (follow) await Promise.all([page.waitForEvent("load"), page.getByRole("link", { name: follow, exact: true }).click()]);
  if (wait) await page.getByText(wait).first().waitFor();
  if (cookies) return context.cookies();
  if (picture) await page.screenshot({ path: picture, fullPage: true });
  const seen = await page.evaluate(() => ({
    path: location.pathname,
    title: document.title,
    text: document.querySelector("main").innerText,
    alert: document.querySelector("[role=alert]")?.innerText ?? "",
    focus: document.activeElement?.id ?? "",
    invalid: document.querySelector("[aria-invalid]")?.id ?? "",
    wide: document.documentElement.scrollWidth > innerWidth,
  }));
  return { ...seen, source: await page.content(), complaints };
}

try {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await act(JSON.parse(line))));
  }
} finally {
  await browser.close();
}
