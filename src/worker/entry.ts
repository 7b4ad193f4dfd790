// The worker's script: serves an engine to the page that started it. The one module with side effects at its top level,
// because a worker's script is its program.

import type { EngineOptions } from "../api/types.ts";
import type { Engine } from "../api/types.ts";
import { serveEngine } from "./host.ts";
import type { Port } from "./protocol.ts";

async function createLocalEngine(options: EngineOptions): Promise<Engine> {
  const api = await import("../api/engine_api.ts");
  return api.createLocalEngine(options);
}

const scope = globalThis as unknown as Port & typeof globalThis;
const host = serveEngine(scope, createLocalEngine, navigator.gpu !== undefined);
// A rejection that nobody handles is silent to the page otherwise.
scope.addEventListener("unhandledrejection", (event) => host.fault(event.reason));
