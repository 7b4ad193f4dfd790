// The worker's script: serves an engine to the page that started it. The one module with side effects at its top level,
// because a worker's script is its program.

import { serveEngine } from "./host.ts";
import type { Port } from "./protocol.ts";
import { services } from "./services.ts";

const page: Port = {
  postMessage: (message, transfer) => globalThis.postMessage(message, { transfer }),
  addEventListener: (type, listener) => globalThis.addEventListener(type, listener),
  removeEventListener: (type, listener) => globalThis.removeEventListener(type, listener),
};
const host = serveEngine(page, services, navigator.gpu !== undefined);
// A rejection that nobody handles is silent to the page otherwise.
globalThis.addEventListener("unhandledrejection", (event) => host.fault(event.reason));
