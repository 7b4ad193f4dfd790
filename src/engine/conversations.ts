// The door to conversations beyond the GPU: what does the work is fetched with the first call, as most sessions never ask.

import type { KeyParts } from "./engine_key.ts";
import type { StoreOptions } from "./session.ts";
import type { Snapshots, SnapshotParts } from "./snapshots.ts";
import type { Conversations } from "./snapshot_types.ts";

/** What a load knows of it. */
export interface SavingParts {
  readonly store: StoreOptions;
  /** See `KeyParts`. */
  readonly origin: readonly string[] | undefined;
}

export interface ConversationParts extends Omit<SnapshotParts, "key" | "openStore"> {
  readonly saving: SavingParts;
  readonly keyParts: Omit<KeyParts, "origin">;
}

/** Conversations of a session, and the end of them. */
export interface ConversationDoor {
  open(): Promise<Conversations>;
  /** Closes the store and forgets what is suspended. */
  close(): void;
}

async function openSnapshots({ saving, keyParts, ...parts }: ConversationParts): Promise<Snapshots> {
  const { Snapshots: Opened } = await import("./snapshots.ts");
  return new Opened({
    ...parts,
    key: async () => (await import("./engine_key.ts")).engineKey({ ...keyParts, origin: saving.origin }),
    openStore: async () => (await import("../store/session_store.ts")).openSessionStore(saving.store),
  });
}

export function conversationDoor(parts: ConversationParts): ConversationDoor {
  let opened: Promise<Snapshots> | undefined;
  return {
    open: async () => {
      parts.check();
      opened ??= openSnapshots(parts).catch((thrown: unknown) => {
        // A script that did not come may come the next time.
        opened = undefined;
        throw thrown;
      });
      return opened;
    },
    close: () => {
      opened?.then((snapshots) => snapshots.close()).catch(() => undefined);
    },
  };
}
