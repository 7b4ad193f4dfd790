// Reads models.json, the list of models that the page offers by name. The first one is loaded at the start.

import type { ModelSource } from "./model_host.ts";

export interface CatalogueEntry extends ModelSource {
  readonly location: string;
  readonly description: string;
}

/** @throws {Error} when the text is not a catalogue; it is a file of ours, so that means a broken build */
export function readCatalogue(value: unknown, base: string): CatalogueEntry[] {
  const models: unknown = typeof value === "object" && value !== null && "models" in value ? value.models : undefined;
  if (!Array.isArray(models)) throw new Error("models.json has no list of models.");
  return models.map((model) => {
    const entry = new Map<string, unknown>(Object.entries(model ?? {}));
    const [name, location, description] = ["name", "location", "description"].map((key) => entry.get(key));
    if (typeof name !== "string" || typeof location !== "string" || typeof description !== "string") {
      throw new Error("models.json has an entry without name, location or description.");
    }
    const listed = entry.get("prompts");
    const prompts = Array.isArray(listed) ? listed.filter((prompt) => typeof prompt === "string") : [];
    if (location.startsWith("hf:")) return { name, description, prompts, location };
    const { href, origin } = new URL(location, base);
    return { name, description, prompts, location: href, ...(origin === new URL(base).origin ? { bundled: true } : {}) };
  });
}

/** @throws {Error} when the page's own files cannot be read */
export async function fetchCatalogue(base: string): Promise<CatalogueEntry[]> {
  const response = await fetch(new URL("models.json", base));
  if (!response.ok) throw new Error(`models.json could not be read (status ${response.status}).`);
  return readCatalogue(await response.json(), base);
}
