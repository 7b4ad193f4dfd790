// Two builds: the chat page (dist/page), and with `--mode lib` the package (dist/lib: index.js, worker.js and lazy chunks).
// Both keep `base` relative, so that they run from any folder of any host.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Plugin, UserConfig } from "vite";
import { stripWgsl } from "./scripts/strip_wgsl.mjs";

const root = import.meta.dirname;

/** Shaders go into builds without comments and blank lines; the dev server and tests keep the file's own lines for messages. */
function compactShaders(): Plugin {
  return {
    name: "shaderloom-compact-shaders",
    apply: "build",
    enforce: "pre",
    async load(id) {
      if (!id.endsWith(".wgsl?raw")) return undefined;
      return `export default ${JSON.stringify(stripWgsl(await readFile(id.slice(0, -"?raw".length), "utf8")))}`;
    },
  };
}

const WORKER = /new URL\(\s*"\.\/host\.ts",\s*import\.meta\.url\s*,?\s*\)/;
const PLACEHOLDER = "__SHADERLOOM_WORKER__";

/**
 * In the package the worker is an entry of its own and the address stays literal in the output, because that is the form which
 * consumers' bundlers look for. Vite would otherwise emit the worker as an asset whose chunks a consumer's build does not copy.
 */
function keepWorkerEntry(): Plugin {
  return {
    name: "shaderloom-keep-worker-entry",
    apply: "build",
    enforce: "pre",
    transform(code, id) {
      if (!id.includes("/src/worker/") || !WORKER.test(code)) return undefined;
      return { code: code.replace(WORKER, PLACEHOLDER), map: null };
    },
    renderChunk(code) {
      if (!code.includes(PLACEHOLDER)) return undefined;
      return { code: code.replaceAll(PLACEHOLDER, 'new URL("./worker.js", import.meta.url)'), map: null };
    },
  };
}

const shared: UserConfig = { root, base: "./", worker: { format: "es", plugins: () => [compactShaders()] } };

const page: UserConfig = {
  ...shared,
  plugins: [compactShaders()],
  build: { outDir: "dist/page", target: "es2023", modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
};

/** Bundled libraries keep their own names: their entry files are called `lib` and `dist`. */
function chunkName(moduleIds: string[]): string {
  const packages = moduleIds.map((id) => /node_modules\/(?:@[^/]+\/)?([^/]+)/.exec(id)?.[1]);
  return packages.find((name) => name !== undefined) ?? "[name]";
}

const lib: UserConfig = {
  ...shared,
  plugins: [compactShaders(), keepWorkerEntry()],
  publicDir: false,
  build: {
    outDir: "dist/lib",
    target: "es2023",
    minify: true,
    lib: { entry: { index: join(root, "src/index.ts"), worker: join(root, "src/worker/host.ts") }, formats: ["es"] },
    rolldownOptions: { output: { entryFileNames: "[name].js", chunkFileNames: ({ moduleIds }) => `chunks/${chunkName(moduleIds)}.js` } },
    license: { fileName: "licenses.md" },
  },
};

export default function config({ mode }: { mode: string }): UserConfig {
  return mode === "lib" ? lib : page;
}
