import type { Rate } from "./model_speed.ts";

export interface LlamaSpeed {
  readonly engine: string;
  readonly backend: string;
  readonly device: string;
  readonly prefill: Rate;
  readonly decode: Rate;
}

export declare function parseLlamaBench(text: string): LlamaSpeed;
export declare function parseLlamaNode(text: string): LlamaSpeed;
