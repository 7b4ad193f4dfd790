// Two builds: the chat page (dist/page), and with `--mode lib` the package (dist/lib: index.js, worker.js and lazy chunks).
// Both keep `base` relative, so that they run from any folder of any host.
import { join } from "node:path";
import type { UserConfig } from "vite";
import { compactShaders, keepWorkerEntry, pagePolicy, portableTokenizers } from "./scripts/vite_plugins.ts";

const root = import.meta.dirname;
const plugins = [compactShaders(), portableTokenizers()];
/** The tokenizer's inlined WASM is 4.7 MB of base64, a lazy chunk of its own. */
const chunkSizeWarningLimit = 5000;

const shared: UserConfig = { root, base: "./", worker: { format: "es", plugins: () => plugins } };

const page: UserConfig = {
  ...shared,
  plugins: [...plugins, pagePolicy()],
  build: {
    outDir: "dist/page",
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit,
    license: { fileName: "licenses.md" },
  },
};

/** Bundled libraries keep their own names: their entry files are called `lib` and `dist`. */
function chunkName(moduleIds: string[]): string {
  const packages = moduleIds.map((id) => /node_modules\/(?:@[^/]+\/)?([^/]+)/.exec(id)?.[1]);
  return packages.find((name) => name !== undefined) ?? "[name]";
}

/**
 * What every load needs is one chunk, which an estimate fetches too. Left alone, modules are split by which of the lazy chunks share them,
 * into a dozen pieces that are fetched together all the same and compress worse. What the page, the worker's door or the library of models
 * need without an engine stays out of it. Rolldown adds to a group's name those of all chunks that share it, behind a tilde.
 */
const groups = [
  { name: "shared", tags: ["$initial" as const], entriesAware: true, minShareCount: 2, priority: 2 },
  { name: "store", test: /[\\/]src[\\/](?:base|store)[\\/]/, entriesAware: true, minShareCount: 2, priority: 2 },
  { name: "engine_api", test: /[\\/]api[\\/]engine_api\.ts$/, priority: 1 },
];

const lib: UserConfig = {
  ...shared,
  plugins: [...plugins, keepWorkerEntry()],
  publicDir: false,
  build: {
    outDir: "dist/lib",
    target: "es2023",
    minify: true,
    chunkSizeWarningLimit,
    lib: { entry: { index: join(root, "src/index.ts"), worker: join(root, "src/worker/entry.ts") }, formats: ["es"] },
    rolldownOptions: {
      output: {
        // Vite would leave whitespace in libraries, for pages that load them without a bundler to carry.
        minify: { compress: true, mangle: true, codegen: { removeWhitespace: true } },
        entryFileNames: "[name].js",
        chunkFileNames: ({ name, moduleIds }) => `chunks/${name.includes("~") ? name.split("~", 1)[0] : chunkName(moduleIds)}.js`,
        codeSplitting: { groups },
      },
    },
    license: { fileName: "licenses.md" },
  },
};

export default function config({ mode }: { mode: string }): UserConfig {
  return mode === "lib" ? lib : page;
}
