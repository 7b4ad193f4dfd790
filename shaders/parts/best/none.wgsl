// What a matrix-vector product keeps of its results beside them: nothing.
// note_best(at, value): of element `at` of a workgroup's [COLS][OWNED] results; close_best(lane, t, first, cols): after all of them, by
// all lanes, of rows [t, t + cols) and columns from `first` on.

fn note_best(at: u32, value: f32) {}

fn close_best(lane: u32, t: u32, first: u32, cols: u32) {}
