// The Vite plugins that the page, the package and the tests are built with.
import { readFile } from "node:fs/promises";
import type { Plugin } from "vite";
import { metaPolicy } from "./page_policy.mjs";
import { stripWgsl } from "./strip_wgsl.mjs";

/** Shaders go into builds without comments and blank lines; the dev server and tests keep the file's own lines for messages. */
export function compactShaders(): Plugin {
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

/** The built page carries its policy; the dev server's own inline scripts would break under it. */
export function pagePolicy(): Plugin {
  return {
    name: "shaderloom-page-policy",
    apply: "build",
    transformIndexHtml: () => [
      { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content: metaPolicy }, injectTo: "head-prepend" },
    ],
  };
}

const WORKER = /new URL\(\s*"\.\/entry\.ts",\s*import\.meta\.url\s*,?\s*\)/;
const PLACEHOLDER = "__SHADERLOOM_WORKER__";

/**
 * In the package the worker is an entry of its own and its address stays literal in the output, because that is the form which
 * consumers' bundlers look for. Vite would otherwise emit the worker as an asset whose chunks a consumer's build does not copy.
 */
export function keepWorkerEntry(): Plugin {
  return {
    name: "shaderloom-keep-worker-entry",
    apply: "build",
    enforce: "pre",
    transform(code, id) {
      if (!id.includes("/src/worker/") || !WORKER.test(code)) return undefined;
      return { code: code.replace(WORKER, PLACEHOLDER), map: null };
    },
    // Once minified, for a minifier would write the address otherwise.
    generateBundle(_options, bundle) {
      let named = false;
      for (const output of Object.values(bundle)) {
        if (output.type !== "chunk" || !output.code.includes(PLACEHOLDER)) continue;
        const folder = output.fileName.includes("/") ? ".." : ".";
        output.code = output.code.replaceAll(PLACEHOLDER, `new URL("${folder}/worker.js", import.meta.url)`);
        named = true;
      }
      if (!named) this.error("no chunk starts worker.js: see keepWorkerEntry in scripts/vite_plugins.ts");
    },
  };
}

const NODE_CHECK = 'typeof process=="object"&&typeof process.versions=="object"&&typeof process.versions.node=="string"';
const NODE_ADDRESS =
  "typeof document === 'undefined' && typeof location === 'undefined' ? new (require('u' + 'rl').URL)('file:' + __filename).href";

/**
 * Symptom: @mlc-ai/web-tokenizers 0.1.6 throws "require is not defined" when imported by Node, and its Node branch drags the
 * builtins `url` and `module` into browser bundles. Its WASM is inlined, so it needs neither: this drops the Node branch, after
 * which one build runs in pages, workers and Node. Remove it when the package's own module loads in Node.
 */
export function portableTokenizers(): Plugin {
  return {
    name: "shaderloom-portable-tokenizers",
    enforce: "pre",
    transform(code, id) {
      if (!id.endsWith("web-tokenizers/lib/index.js")) return undefined;
      if (!code.includes(NODE_CHECK) || !code.includes(NODE_ADDRESS)) throw new Error("web-tokenizers changed: check this plugin");
      const portable = code
        .replaceAll(NODE_CHECK, "false")
        .replaceAll(NODE_ADDRESS, "typeof location === 'undefined' ? ''")
        .replaceAll("await import('module')", "{}");
      return { code: portable, map: null };
    },
  };
}
