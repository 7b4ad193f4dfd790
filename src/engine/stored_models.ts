// The way from the API to the model store, for what needs no engine.

export { openModelStore as openModels } from "../store/open.ts";
export type { ModelStore } from "../store/model_store.ts";
