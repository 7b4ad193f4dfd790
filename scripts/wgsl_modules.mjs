// Lets Node import what Vite does: `x.wgsl?raw` is a module whose default export is the file's text. Playwright's configurations
// register it, because tests make models with code that names shaders.
import { readFile } from "node:fs/promises";
import { register } from "node:module";
import { fileURLToPath } from "node:url";

/** A hook of Node's module loader (https://nodejs.org/api/module.html#loadurl-context-nextload). */
export async function load(url, context, nextLoad) {
  if (!url.endsWith(".wgsl?raw")) return nextLoad(url, context);
  const text = await readFile(fileURLToPath(url.slice(0, -"?raw".length)), "utf8");
  return { format: "module", shortCircuit: true, source: `export default ${JSON.stringify(text)};` };
}

/** From then on, in this process. */
export function importShaders() {
  register(import.meta.url);
}
