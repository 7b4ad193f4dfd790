// What can be wrong with a download as a whole, and with storing it, as typed errors.

import { ShaderloomError } from "../../base/errors.ts";

/** INTEGRITY.sha256: the whole is not what was promised. */
export function wrongFile(name: string, promised: string, from: keyof typeof remedies): ShaderloomError {
  const message = `${name} is not the file that was promised: its sha256 is not ${promised}. ${remedies[from]}`;
  return new ShaderloomError("INTEGRITY.sha256", message, { retryable: from === "download", detail: { file: name, sha256: promised } });
}

/** What helps depends on where the wrong bytes came from. */
const remedies = {
  download: "What was downloaded was deleted. Load it again; if it stays so, the promise or the server is wrong.",
  store: 'It was stored before, and stays. Load it with store: { mode: "refresh" } to get what the server has now, or correct the sha256.',
  local: "Get the file again, or correct the sha256.",
};

/** INTEGRITY.sha256, before anything is downloaded: the caller and the hub promise different files. */
export function conflictingPromises(name: string, wanted: string, promised: string): ShaderloomError {
  const message = `${name} is to have the sha256 ${wanted}, and its hub says that it has ${promised}. Correct the sha256, or pin the revision that has it.`;
  return new ShaderloomError("INTEGRITY.sha256", message, { detail: { file: name, sha256: wanted, promised } });
}

/** INTEGRITY.chunk: the server gives other bytes than it did when the rest was stored. */
export function wrongChunk(name: string, index: number): ShaderloomError {
  const message = `Part ${index} of ${name} had to be fetched again and came out different each time: the file on the server is another one now. What was stored was deleted. Load the model again.`;
  return new ShaderloomError("INTEGRITY.chunk", message, { retryable: true, detail: { file: name, chunk: index } });
}

/** INTEGRITY.chunk: a stored copy is damaged and there is nowhere to mend it from. */
export function damagedCopy(name: string, index: number): ShaderloomError {
  const message = `The stored copy of ${name} is damaged in part ${index}. Import the file again, or load it from its address.`;
  return new ShaderloomError("INTEGRITY.chunk", message, { detail: { file: name, chunk: index } });
}

/** QUOTA.full with what the browser says of its room. */
export function noRoom(name: string, needed: number, available: number | null): ShaderloomError {
  // A browser that refuses and says that there is room contradicts itself; it is not repeated.
  const room = available === null || available >= needed ? "" : ` (the browser says that ${available} are left)`;
  const message = `There is no room to store ${name}: ${needed} more bytes are needed${room}. Delete stored models, or load it without storing.`;
  return new ShaderloomError("QUOTA.full", message, { retryable: true, detail: { file: name, needed, available } });
}

/** NET.length, only as a warning: the file is used and not stored. */
export function unknownLength(name: string): ShaderloomError {
  const message = `The server does not say how long ${name} is, so that an early end could go unnoticed; it is not stored. Give its sha256, or use another server.`;
  return new ShaderloomError("NET.length", message, { detail: { file: name } });
}
