// Reads what a TypeScript source imports, for the test of the rooms' rules. A line scanner, not a parser: it knows the shapes
// that oxfmt leaves and nothing else.

export interface Import {
  /** As written: `../base/errors.ts`, `vitest`, `../../shaders/gemv.wgsl?raw`. */
  specifier: string;
  /** Erased by the compiler: `import type`, `export type … from`. */
  typeOnly: boolean;
  /** `import("…")`. */
  lazy: boolean;
}

function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
}

const FROM = /^(?:import|export)\s+(type\s)?[^;"']*?\sfrom\s+["']([^"']+)["']/gm;
const BARE = /^import\s+["']([^"']+)["']/gm;
const LAZY = /(typeof\s+)?\bimport\(\s*["']([^"']+)["']\s*\)/g;
const WORKER = /new URL\(\s*["'](\.[^"']+\.ts)["'],\s*import\.meta\.url/g;
const GLOB = /import\.meta\.glob(?:<[^>]*>)?\(\s*["']([^"']+)["']/g;

/** @returns every import of the source, in the order of their kinds */
export function readImports(source: string): Import[] {
  const code = withoutComments(source);
  const found: Import[] = [];
  for (const [, type, specifier = ""] of code.matchAll(FROM)) found.push({ specifier, typeOnly: type !== undefined, lazy: false });
  for (const [, specifier = ""] of code.matchAll(BARE)) found.push({ specifier, typeOnly: false, lazy: false });
  for (const [, type, specifier = ""] of code.matchAll(LAZY)) found.push({ specifier, typeOnly: type !== undefined, lazy: true });
  for (const pattern of [WORKER, GLOB]) {
    for (const [, specifier = ""] of code.matchAll(pattern)) found.push({ specifier, typeOnly: false, lazy: true });
  }
  return found;
}
