// Asks the data of caniemail.com, through a linter that knows nothing of Otpost, what mail programs make of our HTML.
//
// Reads [{"name", "html"}] as JSON from standard input. Prints a list of issues as JSON, empty if all is well:
// [{"name", "client", "feature", "support": "none" | "partial", "notes"}].

import { readFileSync } from "node:fs";
import { caniemail, rawData } from "caniemail";

const CLIENTS = ["gmail.*", "outlook.*", "apple-mail.*"];
// The linter does not know Outlook on the web, which the new Outlook for Windows is too; its data does.
const OUTLOOK_WEB = "outlook.outlook-com";

// Who may lack a feature, by the beginnings of names: Outlook for Windows with the engine of Word, …
const WORD = ["outlook.windows"];
const GMAIL = ["gmail."];
// Gmail in a phone's browser knows no <style>. It is seldom used: phones open the app.
const GMAIL_MOBILE_WEB = ["gmail.mobile-webmail"];
const ALL = ["gmail.", "outlook.", "apple-mail."];

// Features that may be missing or partial, where, and why the mail still looks and reads well there. `never` says
// what would not be fine: HTML that it matches is reported all the same. Everything not listed is an issue.
const ACCEPTED = [
  { feature: "border-radius", clients: WORD, why: "corners are square" },
  { feature: "@media", clients: [...GMAIL, "outlook."], why: "width and colour scheme only, not nested; without it, as in Word and for others' mailboxes in Gmail's app, the mail is light and narrows by itself", never: /@media[^{]*height|@media[^{]*\{[^}]*@media/ },
  { feature: "@media (prefers-color-scheme)", clients: [...GMAIL, ...WORD], why: "they stay light, or darken by rules of their own" },
  { feature: "<style> element", clients: [...GMAIL, ...WORD], why: "each look is inline; <style> adds the dark one and the edges on phones", never: /<body[^]*<style/ },
  { feature: "Class selector", clients: GMAIL, why: "as <style>" },
  { feature: "Type selector", clients: GMAIL, why: "as <style>" },
  { feature: "Descendant combinator", clients: GMAIL, why: "as <style>" },
  { feature: "!important keyword", clients: [...GMAIL, ...WORD], why: "in <style> only, in lower case, with a space before it", never: /style="[^"]*!important|[^ ]!important|! *I/ },
  { feature: "<body> element", clients: ALL, why: "it becomes a <div> or loses its colours: the table in it has them too" },
  { feature: "target attribute", clients: ALL, why: "links open outside anyway; it is for those who show mails in a page" },
  { feature: "role attribute", clients: ["outlook.windows-mail"], why: "a screen reader may speak of tables; no longer supported by its maker" },
  { feature: "aria-hidden attribute", clients: ["outlook.windows-mail"], why: "the hidden line is hidden to all by mso-hide" },
  { feature: "display:none", clients: [...WORD, ...GMAIL_MOBILE_WEB], why: "for the line before the mail: mso-hide and no height hide it there; it holds no table and no picture" },
  { feature: "display", clients: [...GMAIL, ...WORD], why: "`none`, and `block` and `inline-block`, without which a button is as wide as its cell", never: /display:\s*(?!none|block|inline-block)/ },
  { feature: "overflow", clients: ALL, why: "for the hidden line only", never: /overflow-|overflow:\s*(?!hidden)/ },
  { feature: "word-break", clients: ALL, why: "a link or password breaks elsewhere, or the card grows by it" },
  { feature: "max-width", clients: [...WORD, "apple-mail.ios"], why: "it stands on a <div>; Word gets a table of that width", never: /<table[^>]*max-width/ },
  { feature: "width property", clients: WORD, why: "for pictures, which have the attribute too", never: /<(?!img)[^>]*[;"]width:/ },
  { feature: "width attribute", clients: WORD, why: "percent on tables only; pictures may be smaller on screens with 120 dpi", never: /<img[^>]*width="[^"]*%/ },
  { feature: "height property", clients: WORD, why: "for cells, and pictures, which have the attribute too", never: /<(?!img|td)[^>]*[;"]height:/ },
  { feature: "height attribute", clients: WORD, why: "as the width attribute", never: /height="[^"]*%/ },
  { feature: "margin", clients: [...GMAIL, "outlook."], why: "none is negative; `auto` is done for Word by a table", never: /margin[^:;"]*:[^;"]*-\d|<span[^>]*margin/ },
  { feature: "padding", clients: WORD, why: "cells have it; on the rest it only adds air, which the button gets by mso-padding-alt" },
  { feature: "border", clients: WORD, why: "thin, and on cells where it matters", never: /border(-(left|right|top|bottom))?:\s*(9|\d\d+)px/ },
  { feature: "background", clients: WORD, why: "colours only", never: /background(-image)?:/ },
  { feature: "text-align", clients: [...GMAIL, ...WORD], why: "neither `start` nor `end`", never: /text-align:\s*(start|end)/ },
  { feature: "text-decoration", clients: [...GMAIL, ...WORD], why: "only `none`: at worst the button's words are underlined", never: /text-decoration:\s*(?!none)/ },
  { feature: "font-size", clients: WORD, why: "in pixels", never: /font-size:\s*[\d.]+(?!px|[\d.])/ },
  { feature: "font-weight", clients: WORD, why: "only `bold`", never: /font-weight:\s*(?!bold)/ },
  { feature: "letter-spacing", clients: WORD, why: "in pixels, never negative", never: /letter-spacing:\s*(-|[\d.]+(?!px|[\d.]))/ },
  { feature: "line-height", clients: WORD, why: "a number; pixels only where no text is seen", never: /line-height:(?!1px)[\d.]+(em|px[^>]*>(?!&nbsp;))/ },
];

/** The issues of one mail that are not accepted. */
function issues(name, html) {
  const found = new Map();
  const note = (client, feature, support, notes) => {
    if (!accepted(client, feature, html)) {
      found.set(`${client} ${feature}`, { name, client, feature, support, notes });
    }
  };
  const features = new Set(conditions(html));
  for (const { errors, warnings } of linted(html)) {
    for (const [client, list] of [...errors, ...warnings]) {
      for (const { title, support, notes } of list) {
        features.add(title);
        note(client, title, support, notes);
      }
    }
  }
  for (const feature of features) {
    for (const [client, support, notes] of lacking(feature)) {
      note(client, feature, support, notes);
    }
  }
  return [...found.values()];
}

function accepted(client, feature, html) {
  return ACCEPTED.some(
    (entry) =>
      entry.feature === feature &&
      entry.clients.some((beginning) => client.startsWith(beginning)) &&
      !entry.never?.test(html),
  );
}

/** What the linter finds. It does not look into @media, so the rules in there are given to it by themselves. */
function linted(html) {
  const blocks = [...html.matchAll(/@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)\s*\}/g)];
  const inputs = [{ html }, ...blocks.map(([, css]) => ({ css }))];
  return inputs.map((input) => caniemail({ clients: CLIENTS, ...input }).issues);
}

/** The features that the conditions of @media are in the data. The linter sees none of them. */
function conditions(html) {
  const named = [...html.matchAll(/@media[^{]*\(([a-z-]+)/g)].map(([, name]) => `@media (${name})`);
  return named.filter((title) => rawData.data.some((feature) => feature.title === title));
}

/** The clients that lack a feature, from the data alone: Outlook on the web, and all for conditions of @media. */
function lacking(feature) {
  const { stats, notes_by_num: texts } = rawData.data.find(({ title }) => title === feature);
  const rows = CLIENTS.map((glob) => glob.replace(".*", "")).flatMap((family) =>
    Object.entries(stats[family] ?? {}).map(([platform, versions]) => [`${family}.${platform}`, Object.values(versions).at(-1)]),
  );
  const wanted = feature.startsWith("@media (") ? rows : rows.filter(([client]) => client === OUTLOOK_WEB);
  return wanted
    .filter(([, verdict]) => !verdict.startsWith("y"))
    .map(([client, verdict]) => {
      const notes = [...verdict.matchAll(/#(\d+)/g)].map(([, number]) => texts[number]);
      return [client, verdict.startsWith("n") ? "none" : "partial", notes];
    });
}

const mails = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(mails.flatMap(({ name, html }) => issues(name, html))));
