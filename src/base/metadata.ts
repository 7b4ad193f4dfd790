// The metadata of a model file as plain data: what a GGUF header carries, whatever reader it came from. A Map, because keys
// are hostile strings and `__proto__` must stay one.

/** One value; integers outside the safe range stay bigint. */
export type MetaScalar = string | number | boolean | bigint;

/** A value or an array of one type; large numeric arrays are typed arrays. */
export type MetaValue = MetaScalar | readonly MetaScalar[] | Float32Array | Int32Array | Uint32Array | Uint8Array;

export type Metadata = ReadonlyMap<string, MetaValue>;
