// Conversations of an engine: checks what callers give and takes turns where the session must be idle.

import { asShaderloomError, ShaderloomError } from "../base/errors.ts";
import type { Conversations } from "../engine/session.ts";
import type { EngineParts } from "./call.ts";
import { readCallOptions } from "./engine_options.ts";
import { checkString, readFields, requestError } from "./fields.ts";
import type { SaveSessionOptions, SessionMethods } from "./session_types.ts";

const MAX_ID_LENGTH = 200;

/** Runs what needs the session for itself. */
type InTurn = <T>(parts: EngineParts, signal: AbortSignal | undefined, run: (signal: AbortSignal) => Promise<T>) => Promise<T>;

function checkId(value: unknown): string {
  const id = checkString(value, "id", MAX_ID_LENGTH);
  if (id === "") throw requestError("id", `a string of 1 to ${MAX_ID_LENGTH} characters`, id);
  return id;
}

function readSaveOptions(options: SaveSessionOptions | undefined): SaveSessionOptions {
  if (options === undefined) return {};
  const id = readFields(options, "", ["id", "signal"]).get("id");
  return { ...(id === undefined ? {} : { id: checkId(id) }), ...readCallOptions(options) };
}

function checkBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw requestError("bytes", "a Uint8Array with what exportSession gave", value);
}

export function sessionMethods(parts: EngineParts, inTurn: InTurn): SessionMethods {
  const run = async <T>(use: (chats: Conversations) => Promise<T>): Promise<T> => {
    const open = parts.session.conversations;
    if (!open) throw new ShaderloomError("UNSUPPORTED.session", "This engine keeps no conversations. Load a model to keep them.");
    try {
      return await use(await open());
    } catch (thrown) {
      // Its script may be missing.
      throw asShaderloomError(thrown);
    }
  };
  return {
    saveSession: async (options) => {
      const given = readSaveOptions(options);
      return run((chats) => chats.save(given));
    },
    loadSession: async (id, options) => {
      const checked = checkId(id);
      const { signal } = readCallOptions(options);
      return run((chats) => inTurn(parts, signal, (combined) => chats.load(checked, combined)));
    },
    sessions: () => run((chats) => chats.list()),
    deleteSession: async (id) => {
      const checked = checkId(id);
      return run((chats) => chats.delete(checked));
    },
    suspendSession: async (id, options) => {
      const checked = id === undefined ? undefined : checkId(id);
      const { signal } = readCallOptions(options);
      return run((chats) => inTurn(parts, signal, (combined) => chats.suspend(checked, combined)));
    },
    resumeSession: async (id, options) => {
      const checked = checkId(id);
      const { signal } = readCallOptions(options);
      return run((chats) => inTurn(parts, signal, (combined) => chats.resume(checked, combined)));
    },
    exportSession: async (options) => {
      const { signal } = readCallOptions(options);
      return run((chats) => chats.export(signal));
    },
    importSession: async (bytes, options) => {
      const checked = checkBytes(bytes);
      const { signal } = readCallOptions(options);
      return run((chats) => inTurn(parts, signal, (combined) => chats.import(checked, combined)));
    },
  };
}
