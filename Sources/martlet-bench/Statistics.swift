// Medians, ratios and means of samples.

/// CPU seconds of one run.
struct Sample: Codable {
  let user, system: Double
}

/// What was measured of one program.
struct Row: Codable {
  let suite: Suite?
  let name: String
  let group: Group
  /// What every run of it printed.
  var output: String?
  /// By machine, in the order they were taken.
  var samples: [String: [Sample]] = [:]
  /// Why the measurement ended early.
  var failure: String?
  /// Other numbers, by name.
  var figures: [String: Double] = [:]

  init(_ suite: Suite?, name: String, group: Group) {
    self.suite = suite
    self.name = name
    self.group = group
  }

  /// The median of the user CPU seconds on a machine.
  func user(_ machine: String) -> Double? { samples[machine].flatMap { median($0.map(\.user)) } }

  /// How many times as long `machine` takes as `reference`.
  func ratio(_ machine: String, to reference: String) -> Double? {
    guard failure == nil, let time = user(machine), let base = user(reference), base > 0 else { return nil }
    return time / base
  }
}

/// The middle value, or the mean of the two middle ones; nil for none.
func median(_ values: [Double]) -> Double? {
  let sorted = values.sorted()
  guard !sorted.isEmpty else { return nil }
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
