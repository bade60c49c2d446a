// The application's own part: who may sign in, and the password that is the first factor.
import { scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

// Salt and hash. A user's name is the same at Otpost, which knows the address.
const USERS = new Map([
  ["ada", "G58nXkAnVgUt9HU/yc1h8g==:IQss7iJD5hO9UbdAJApbqk6cFPx9ktpNAzxSAiLJ64c="], // correct horse battery staple
  ["grace", "nulNHutHsLDrQbLXwEJ0eA==:0cF5CYB1WmXNd+JBnM/Up5pwGPM7DuyMGp1pUDaVdj0="], // nanoseconds are eleven inches
]);
const NOBODY = `${Buffer.alloc(16).toString("base64")}:${Buffer.alloc(32).toString("base64")}`;

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt);

/** Whether the password is the user's. It takes as long for a name that nobody has. */
export async function knows(user: string, password: string): Promise<boolean> {
  const [salt = "", hash = ""] = (USERS.get(user) ?? NOBODY).split(":");
  const derived = await derive(password, Buffer.from(salt, "base64"), 32, { N: 16384, r: 8, p: 5 });
  return timingSafeEqual(derived, Buffer.from(hash, "base64")) && USERS.has(user);
}
