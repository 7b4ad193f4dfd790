import { testChunks, testKeyValue } from "../testing/store_contract.ts";
import { memoryStore } from "./memory.ts";

testChunks("memory", async () => memoryStore().chunks);
testKeyValue("memory", async () => memoryStore().keyValue);
