// Measures text messages with the calculator of a provider, which shares no code with Otpost.
//
// Reads a list of texts as JSON from standard input; prints for each its encoding and its number of parts.

const { SegmentedMessage } = require("sms-segments-calculator");

const texts = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const measured = texts.map((text) => {
  const message = new SegmentedMessage(text);
  return { encoding: message.encodingName, parts: message.segments.length };
});
process.stdout.write(JSON.stringify(measured));
