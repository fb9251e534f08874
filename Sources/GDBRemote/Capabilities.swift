/// The protocols a target adopts, found out once.
struct Capabilities {
  let resumable: (any Resumable)?
  let nonStop: (any NonStopTarget)?
  let multiprocess: (any MultiprocessTarget)?
  let reverse: (any ReverseTarget)?
  let resettable: (any Resettable)?
  let breakpoints: (any BreakpointTarget)?
  let conditionalBreakpoints: (any ConditionalBreakpointTarget)?
  let description: (any TargetDescription)?
  let memoryMap: (any MemoryMapProviding)?
  let flash: (any FlashTarget)?
  let threadNames: (any ThreadNaming)?
  let host: (any HostDescribing)?
  let executable: (any ExecutableNaming)?
  let monitor: (any MonitorTarget)?
  let fileIO: (any FileIOTarget)?
  let physicalMemory: (any PhysicalMemoryTarget)?
  let trace: (any TraceTarget)?
  let branchTrace: (any BranchTraceTarget)?
  let symbols: (any SymbolSeeking)?

  init(of target: any Target) {
    resumable = target as? any Resumable
    nonStop = target as? any NonStopTarget
    multiprocess = target as? any MultiprocessTarget
    reverse = (target as? any ReverseTarget).flatMap { $0.canReverse ? $0 : nil }
    resettable = target as? any Resettable
    breakpoints = target as? any BreakpointTarget
    conditionalBreakpoints = target as? any ConditionalBreakpointTarget
    description = target as? any TargetDescription
    memoryMap = target as? any MemoryMapProviding
    flash = target as? any FlashTarget
    threadNames = target as? any ThreadNaming
    host = target as? any HostDescribing
    executable = target as? any ExecutableNaming
    monitor = target as? any MonitorTarget
    fileIO = target as? any FileIOTarget
    physicalMemory = target as? any PhysicalMemoryTarget
    trace = target as? any TraceTarget
    branchTrace = target as? any BranchTraceTarget
    symbols = target as? any SymbolSeeking
  }
}
