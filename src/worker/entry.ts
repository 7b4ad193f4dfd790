// The worker's script: serves an engine to the page that started it. The one module with side effects at its top level,
// because a worker's script is its program.

import type { Engine, EngineOptions } from "../api/types.ts";
import { serveEngine } from "./host.ts";
import type { Port } from "./protocol.ts";

async function createHere(options: EngineOptions): Promise<Engine> {
  const { createLocalEngine } = await import("../api/engine_api.ts");
  return createLocalEngine(options);
}

const page: Port = {
  postMessage: (message, transfer) => globalThis.postMessage(message, { transfer }),
  addEventListener: (type, listener) => globalThis.addEventListener(type, listener),
  removeEventListener: (type, listener) => globalThis.removeEventListener(type, listener),
};
const host = serveEngine(page, createHere, navigator.gpu !== undefined);
// A rejection that nobody handles is silent to the page otherwise.
globalThis.addEventListener("unhandledrejection", (event) => host.fault(event.reason));
