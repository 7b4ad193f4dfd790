// From what a remote file was given as to its URL: an address, relative ones against the page or worker, or a hub path. Asks nobody.

import { ShaderloomError } from "../../base/errors.ts";
import { type HubOptions, isHubPath, resolveHubPath } from "./hub.ts";

/** @throws {ShaderloomError} SOURCE.location, REQUEST.endpoint */
export function resolveLocation(location: string | URL, hub?: HubOptions): URL {
  if (typeof location === "string" && isHubPath(location)) return resolveHubPath(location, hub);
  const base = "location" in globalThis ? globalThis.location.href : undefined;
  // An address in a message loses its query, which may be a signature.
  const shown = JSON.stringify(
    String(location)
      .split(/[?#]/)[0]
      .replace(/\/\/[^/]*@/, "//"),
  );
  if (!URL.canParse(location, base)) throw badLocation(`${shown} is no address`);
  const url = new URL(location, base);
  if (!["http:", "https:", "blob:", "data:"].includes(url.protocol)) throw badLocation(`${shown} is not an http(s) address`);
  if (url.username !== "" || url.password !== "") throw badLocation("An address with a user name or password in it cannot be fetched");
  return url;
}

function badLocation(problem: string): ShaderloomError {
  return new ShaderloomError("SOURCE.location", `${problem}. Give a full https address, an hf: path, or pick a local file.`);
}
