// An engine behind a real message port in one process: host and client exactly as between worker and page.
import { createSessionEngine } from "../api/session_engine.ts";
import type { Engine, EngineOptions } from "../api/types.ts";
import type { Session } from "../engine/session.ts";
import { createRemoteEngine } from "../worker/client.ts";
import type { ClientOptions, WorkerLike } from "../worker/client.ts";
import { serveEngine } from "../worker/host.ts";
import type { EngineHost } from "../worker/host.ts";
import type { Port } from "../worker/protocol.ts";

export interface PortPair {
  /** The page's end, as a worker would look. */
  readonly worker: WorkerLike & { readonly terminated: boolean };
  /** The worker's end. */
  readonly inside: MessagePort;
  /** Messages that went to the page. */
  readonly sent: unknown[];
}

export function portPair(): PortPair {
  const { port1, port2 } = new MessageChannel();
  let terminated = false;
  const sent: unknown[] = [];
  port1.start();
  port2.start();
  port1.addEventListener("message", (event) => void sent.push(event.data));
  const outside: Port = port1;
  return {
    worker: {
      postMessage: (message, transfer) => outside.postMessage(message, transfer),
      addEventListener: (type, listener) => outside.addEventListener(type, listener),
      removeEventListener: (type, listener) => outside.removeEventListener(type, listener),
      terminate() {
        terminated = true;
        port1.close();
      },
      get terminated() {
        return terminated;
      },
    },
    inside: port2,
    sent,
  };
}

export interface PortEngine {
  readonly engine: Engine;
  readonly host: EngineHost;
  readonly pair: PortPair;
}

/** For services that a test does not ask for. */
export async function unasked(): Promise<never> {
  throw new Error("no task was expected");
}

/** @param load makes the session from the options that arrived */
export async function portEngine(
  load: (options: EngineOptions) => Session | Promise<Session>,
  options: Partial<EngineOptions> = {},
  client: ClientOptions = {},
): Promise<PortEngine> {
  const pair = portPair();
  const host = serveEngine(
    pair.inside,
    { estimate: unasked, probe: unasked, createEngine: async (given) => createSessionEngine(await load(given)) },
    true,
  );
  const engine = await createRemoteEngine(pair.worker, { model: "fake.gguf", ...options }, client);
  return { engine, host, pair };
}
