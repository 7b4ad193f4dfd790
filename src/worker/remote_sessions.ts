// Conversations of an engine in a worker: the same methods over the port, for both of its ends.

import { readCallOptions } from "../api/engine_options.ts";
import type { Engine } from "../api/types.ts";
import type { SessionMethods } from "../api/session_types.ts";
import { ask, type Connection, malformedError } from "./connection.ts";
import { isAnswer, type SessionCalls, type SessionCall } from "./protocol.ts";

/** The page's end. */
export function remoteSessions(connection: Connection): SessionMethods {
  type Message<M> = (id: number) => Extract<SessionCall, { readonly method: M }>;
  const call = async <M extends keyof SessionCalls>(
    method: M,
    message: Message<M>,
    signal?: AbortSignal,
  ): Promise<SessionCalls[M]["value"]> => {
    const value = await ask(connection, message, { signal });
    if (!isAnswer(method, value)) throw malformedError();
    return value;
  };
  const kind = "call";
  return {
    saveSession: async (options) => {
      const { signal } = readCallOptions(options);
      const { signal: _signal, ...rest } = options ?? {};
      return call("saveSession", (id) => ({ kind, id, method: "saveSession", args: [rest] }), signal);
    },
    loadSession: async (name, options) =>
      call("loadSession", (id) => ({ kind, id, method: "loadSession", args: [name] }), readCallOptions(options).signal),
    sessions: () => call("sessions", (id) => ({ kind, id, method: "sessions", args: [] })),
    deleteSession: (name) => call("deleteSession", (id) => ({ kind, id, method: "deleteSession", args: [name] })),
    suspendSession: async (name, options) =>
      call("suspendSession", (id) => ({ kind, id, method: "suspendSession", args: [name] }), readCallOptions(options).signal),
    resumeSession: async (name, options) =>
      call("resumeSession", (id) => ({ kind, id, method: "resumeSession", args: [name] }), readCallOptions(options).signal),
    exportSession: async (options) =>
      call("exportSession", (id) => ({ kind, id, method: "exportSession", args: [] }), readCallOptions(options).signal),
    importSession: async (bytes, options) =>
      call("importSession", (id) => ({ kind, id, method: "importSession", args: [bytes] }), readCallOptions(options).signal),
  };
}

/** The worker's end. The arguments are whatever came over the wire; the engine checks them. */
export function callSession(engine: Engine, message: SessionCall, signal: AbortSignal): Promise<unknown> {
  switch (message.method) {
    case "saveSession":
      return engine.saveSession({ ...message.args[0], signal });
    case "loadSession":
      return engine.loadSession(message.args[0], { signal });
    case "sessions":
      return engine.sessions();
    case "deleteSession":
      return engine.deleteSession(message.args[0]);
    case "suspendSession":
      return engine.suspendSession(message.args[0], { signal });
    case "resumeSession":
      return engine.resumeSession(message.args[0], { signal });
    case "exportSession":
      return engine.exportSession({ signal });
    case "importSession":
      return engine.importSession(message.args[0], { signal });
  }
}
