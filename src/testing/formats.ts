// Every weight format at once, for tests that need no waiting.

import type { WeightFormat } from "../formats/format.ts";
import { allFormats, type Formats } from "../formats/index.ts";

export const formats: readonly WeightFormat[] = await allFormats();

export const formatByGgufType: Formats = new Map(formats.map((format) => [format.ggufType, format]));
