// The methods over conversations before what does their work is fetched: most engines are never asked.

import type { SessionMethods } from "./session_types.ts";

/**
 * @param open   called with every call
 * @param fetch  fetches what `open` needs: at once, as there may be no network when somebody asks
 */
export function lazySessions(open: () => Promise<SessionMethods>, fetch: () => Promise<unknown>): SessionMethods {
  fetch().catch(() => undefined);
  return {
    saveSession: async (options) => (await open()).saveSession(options),
    loadSession: async (id, options) => (await open()).loadSession(id, options),
    sessions: async () => (await open()).sessions(),
    deleteSession: async (id) => (await open()).deleteSession(id),
    suspendSession: async (id, options) => (await open()).suspendSession(id, options),
    resumeSession: async (id, options) => (await open()).resumeSession(id, options),
    exportSession: async (options) => (await open()).exportSession(options),
    importSession: async (bytes, options) => (await open()).importSession(bytes, options),
  };
}
