// Sums of lanes that no other lane shares: nothing to add up. For tiles of one slice.
// Consts: LANE_N, LANE_T.

fn add_slices(acc: ptr<function, array<f32, LANE_N * LANE_T>>, lane: u32) {}
