// What reading a file takes that is not at hand: one chunk of the built package, loaded with the first address.

export { openRemote, openStoredPart } from "./download/open.ts";
export { openStoredSource } from "./download/stored_source.ts";
export { DownloadPool } from "./download/pool.ts";
export { hubHeaders } from "./http/hub.ts";
export { openHttpSource } from "./http/http_source.ts";
export { resolveLocation } from "./http/location.ts";
