// The door page: the public API on the window, for tests that ask a model whose files were damaged on the way.

import { createEngine, estimate, openModels } from "../../src/index.ts";

declare global {
  interface Window {
    shaderloom: { createEngine: typeof createEngine; estimate: typeof estimate; openModels: typeof openModels };
  }
}

window.shaderloom = { createEngine, estimate, openModels };
