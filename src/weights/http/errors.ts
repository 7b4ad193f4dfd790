// What can go wrong between us and a server, as typed errors: one code for each thing a user can do something different about.
// Messages name the file, never the query of its address and never a header.

import { ShaderloomError } from "../../base/errors.ts";

/** A server's wait beyond this is told to the user instead of waited for. */
const longestRetryAfterMs = 60_000;

/** The error of a response that is no success. */
export function statusError(name: string, response: Response): ShaderloomError {
  const { status } = response;
  const detail = { file: name, status };
  if (status === 401 || status === 403) {
    const message = `The server refused access to ${name} (status ${status}). Check the address; a gated or private file needs an access token.`;
    return new ShaderloomError("SOURCE.denied", message, { detail });
  }
  if (status === 404 || status === 410) {
    return new ShaderloomError("SOURCE.missing", `There is no file at ${name} (status ${status}). Check the address.`, { detail });
  }
  if (status === 416 && response.headers.get("content-range")?.trim() === "bytes */0") {
    return new ShaderloomError("SOURCE.empty", `The file at ${name} is empty. Check the address, or ask whoever put it there.`, { detail });
  }
  if (status === 416) {
    return new ShaderloomError("NET.range", `The server refused a byte range of ${name} (status 416). Load the model again.`, { detail });
  }
  const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), Date.now());
  const waitable = retryAfterMs === undefined || retryAfterMs <= longestRetryAfterMs;
  const timed = retryAfterMs === undefined ? detail : { ...detail, retryAfterMs };
  if (status === 429) {
    const wait = retryAfterMs === undefined ? "Wait a while" : `Wait ${Math.ceil(retryAfterMs / 1000)} seconds`;
    const message = `The server of ${name} asks for fewer requests (status 429). ${wait}, then try again.`;
    return new ShaderloomError("NET.rate", message, { retryable: waitable, detail: timed });
  }
  if (status >= 500 || status === 408) {
    const message = `The server failed to deliver ${name} (status ${status}). Try again later.`;
    return new ShaderloomError("NET.server", message, { retryable: waitable, detail: timed });
  }
  return new ShaderloomError("SOURCE.status", `The server answered for ${name} with status ${status}. Check the address.`, { detail });
}

/** Milliseconds from a Retry-After header: seconds or a date (RFC 9110, 10.2.3); undefined without a readable one. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(date - now, 0);
}

export function unreachable(name: string, cause: unknown): ShaderloomError {
  const message = `${name} could not be reached. Check the address and the connection, then try again.`;
  return new ShaderloomError("NET.unreachable", message, { retryable: true, detail: { file: name }, cause });
}

export function corsRefused(name: string): ShaderloomError {
  const message = `The server of ${name} does not let other sites read its files (CORS). Download the file and open it from disk, or use another host.`;
  return new ShaderloomError("NET.cors", message, { detail: { file: name } });
}

export function interrupted(name: string, cause: unknown): ShaderloomError {
  const message = `The connection broke while ${name} was read. Check the connection, then try again.`;
  return new ShaderloomError("NET.interrupted", message, { retryable: true, detail: { file: name }, cause });
}

export function stalled(name: string, stallMs: number): ShaderloomError {
  const message = `No byte of ${name} came for ${stallMs / 1000} seconds. Check the connection, then try again.`;
  return new ShaderloomError("NET.stalled", message, { retryable: true, detail: { file: name, stallMs } });
}

export function endedEarly(name: string, got: number, wanted: number): ShaderloomError {
  const message = `The server sent ${got} of ${wanted} bytes of ${name} and ended. Try again; if it stays so, the server's file is damaged.`;
  return new ShaderloomError("NET.truncated", message, { retryable: true, detail: { file: name, got, wanted } });
}

/** The server does something else than the byte range that it was asked for. */
export function wrongRange(name: string, problem: string): ShaderloomError {
  const message = `The server of ${name} does not handle byte ranges right: ${problem}. Download the file and open it from disk.`;
  return new ShaderloomError("NET.range", message, { detail: { file: name } });
}

export function changed(name: string): ShaderloomError {
  return new ShaderloomError("SOURCE.changed", `${name} changed on the server while it was read. Load the model again.`, {
    detail: { file: name },
  });
}

export function webPage(name: string): ShaderloomError {
  const message = `The server answered for ${name} with a web page instead of the file. Use the address of the file itself (on a hub: "resolve", not "blob").`;
  return new ShaderloomError("SOURCE.html", message, { detail: { file: name } });
}

export function tooLarge(name: string, limit: number): ShaderloomError {
  const message = `The server of ${name} has no byte ranges, and the file is over ${limit} bytes, too many to hold in memory. Download it and open it from disk.`;
  return new ShaderloomError("LIMIT.memory", message, { detail: { file: name, limit } });
}

/** LIMIT.size: more than can be kept track of, and more than any model has; what a lying server says. */
export function tooLong(name: string, bytes: number): ShaderloomError {
  const message = `The server says that ${name} has ${bytes} bytes, more than any model. Check the address, or use another server.`;
  return new ShaderloomError("LIMIT.size", message, { detail: { file: name, bytes } });
}
