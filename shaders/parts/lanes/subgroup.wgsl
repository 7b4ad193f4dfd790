// Sums over the lanes of a matrix-vector product, first by shuffles within subgroups: lanes of one row are ROWS apart, so after
// exchanges over ROWS, 2 ROWS, ... the first ROWS lanes of a subgroup hold its sums, and each subgroup keeps one word for
// each row. A subgroup of ROWS lanes or fewer has nothing to exchange. For any subgroup size of a power of two, if lanes are
// numbered through subgroups in order, as implementations do.
// keep and total: as in workgroup.wgsl; keep must be called in uniform control flow.
// Workgroup memory: 4 * SLOTS * SUMS bytes, SLOTS = ROWS * WG / max(ROWS, least subgroup size).
// Consts: WG, ROWS, SUMS, SLOTS. Extension: subgroups.

struct Group {
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(subgroup_size) size: u32,
}

struct Place {
  @builtin(local_invocation_index) lane: u32,
}

var<workgroup> lane_sums: array<f32, SLOTS * SUMS>;

/// Lanes whose sums come together.
fn lane_span(group: Group) -> u32 {
  return clamp(group.size, ROWS, WG);
}

fn keep(group: Group, place: Place, index: u32, value: f32) {
  let span = lane_span(group);
  var sum = value;
  for (var distance = ROWS; distance < span; distance *= 2u) {
    sum += subgroupShuffleXor(sum, distance);
  }
  if (place.lane % span < ROWS) {
    lane_sums[index * SLOTS + (place.lane / span) * ROWS + place.lane % ROWS] = sum;
  }
}

fn total(group: Group, index: u32, row: u32) -> f32 {
  var sum = 0.0;
  for (var at = row; at < ROWS * (WG / lane_span(group)); at += ROWS) {
    sum += lane_sums[index * SLOTS + at];
  }
  return sum;
}
