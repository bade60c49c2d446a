// Pictures of mails, as a browser shows them: light and dark, as wide as a reading pane and as a phone.
//
//   node screenshots.mjs FOLDER < mails.json
//
// Reads [{"name", "html"}] as JSON from standard input. Writes FOLDER/<name>.light.png, <name>.dark.png,
// <name>.phone.light.png and <name>.phone.dark.png, and prints their paths, one a line. Needs Chromium, which Debian
// packages; CHROMIUM names it where it is elsewhere. Nothing is loaded from outside, and no script of a mail runs.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const PROGRAM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

// How wide, what stands for it in the name, and whether it is a phone, which shows twice the pixels.
const SCREENS = [
  { width: 600, suffix: "", phone: false },
  { width: 375, suffix: ".phone", phone: true },
];

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node screenshots.mjs FOLDER < mails.json");
  process.exit(2);
}
const mails = JSON.parse(readFileSync(0, "utf8"));
const unfit = mails.find(({ name }) => !/^[\w-][\w.-]*$/.test(name));
if (unfit) {
  console.error(`no name for a file: ${unfit.name}`);
  process.exit(2);
}
mkdirSync(folder, { recursive: true });

const browser = await chromium.launch({ executablePath: PROGRAM, args: FLAGS });
try {
  for (const { width, suffix, phone } of SCREENS) {
    for (const colorScheme of ["light", "dark"]) {
      const context = await browser.newContext({
        colorScheme,
        viewport: { width, height: 400 },
        deviceScaleFactor: phone ? 2 : 1,
        isMobile: phone,
        javaScriptEnabled: false,
        offline: true,
      });
      const page = await context.newPage();
      for (const { name, html } of mails) {
        await page.setContent(html, { waitUntil: "load" });
        const path = join(folder, `${name}${suffix}.${colorScheme}.png`);
        await page.screenshot({ path, fullPage: true });
        console.log(path);
      }
      await context.close();
    }
  }
} finally {
  await browser.close();
}
