// Reads a model address that a person typed. It checks only what the page alone can know; the engine checks the rest.

export type AddressResult =
  | { readonly ok: true; readonly address: string; readonly name: string }
  | { readonly ok: false; readonly problem: string };

const localHosts = new Set(["localhost", "127.0.0.1"]);

function fileName(path: string): string {
  const last = path.split("/").findLast((part) => part !== "") ?? path;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/**
 * @param typed an https address, a path beside this page, `hf:owner/repository/file.gguf[@revision]`, or a repository with safetensors
 * @param base the page's own address: a worker would resolve a relative path against itself
 */
export function readAddress(typed: string, base: string): AddressResult {
  const text = typed.trim();
  if (text === "") return { ok: false, problem: "Type an address first." };
  if (text.startsWith("hf:")) return { ok: true, address: text, name: fileName(text.slice(3).split("@")[0]) };
  if (!URL.canParse(text, base)) return { ok: false, problem: "This is not an address. Start it with https:// or hf:." };
  const url = new URL(text, base);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    return { ok: false, problem: `Addresses with ${url.protocol} cannot be read. Start it with https:// or hf:.` };
  }
  if (url.protocol === "http:" && !localHosts.has(url.hostname) && url.origin !== new URL(base).origin) {
    return { ok: false, problem: "Only https addresses can be read, or http on this computer. Change http: to https:." };
  }
  // The hub's page about a file and the file itself differ by one word, and people copy the page's address.
  if (url.hostname === "huggingface.co") url.pathname = url.pathname.replace(/^(\/[^/]+\/[^/]+)\/blob\//, "$1/resolve/");
  const repository = url.hostname === "huggingface.co" ? /^\/([^/]+\/[^/]+)(?:\/tree\/([^/]+))?\/?$/.exec(url.pathname) : null;
  if (repository !== null) {
    const [, path, revision] = repository;
    return { ok: true, address: `hf:${path}${revision === undefined ? "" : `@${revision}`}`, name: fileName(path) };
  }
  return { ok: true, address: url.href, name: fileName(url.pathname) };
}

/**
 * The address under which a file is stored, so that a typed one can be compared with it: hub paths as what they stand for, and
 * without what may be a secret.
 */
export function plainAddress(location: string): string {
  if (location.startsWith("hf:")) {
    const at = location.lastIndexOf("@");
    const revision = at < 0 ? "main" : location.slice(at + 1);
    const [owner, repository, ...path] = location
      .slice(3, at < 0 ? undefined : at)
      .split("/")
      .map(encodeURIComponent);
    return `https://huggingface.co/${owner}/${repository}/resolve/${encodeURIComponent(revision)}/${path.join("/") || "config.json"}`;
  }
  if (!URL.canParse(location)) return location;
  const { origin, pathname, protocol } = new URL(location);
  return protocol.startsWith("http") ? `${origin}${pathname}` : location;
}
