// Owns the guess which of the loaded files a debugger wants the symbols of.

import Glibc
import Machine

extension MachineConfiguration {
  /// The absolute path of the first ELF file among kernel, loaded files and firmware.
  var executablePath: String? {
    let candidates = [kernel] + loads.map(\.path) + [bios]
    return candidates.lazy.compactMap { $0 }.first(where: isELF).flatMap(absolutePath)
  }
}

private func isELF(_ path: String) -> Bool {
  guard let file = unsafe fopen(path, "rb") else { return false }
  defer { unsafe fclose(file) }
  var magic: [UInt8] = [0, 0, 0, 0]
  return unsafe fread(&magic, 1, 4, file) == 4 && magic == [0x7F, 0x45, 0x4C, 0x46]
}

private func absolutePath(_ path: String) -> String? {
  guard let resolved = unsafe realpath(path, nil) else { return nil }
  defer { unsafe free(resolved) }
  return unsafe String(cString: resolved)
}
