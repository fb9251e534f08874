// Owns the flags that scripts for QEMU carry and that do nothing here: which go by with a word, which are refused, and
// what to use instead.

struct ForeignFlag {
  var takesValue = true
  /// Values that ask for nothing that is not there.
  var harmless: [String] = []
  /// What is said of any other value, or of a flag without; nil: nothing need be said.
  var note: String?
  /// Why any other value is refused.
  var refusal: String?

  /// What to tell the user; nil: nothing.
  /// - Throws: a usage failure that says what to use instead.
  func note(_ word: String, _ value: String?) throws(Failure) -> String? {
    let choice = value.map { String($0.prefix { $0 != "," }) }
    if let choice, harmless.contains(choice) { return nil }
    if let refusal {
      throw .usage("-\(word)\(value.map { " \($0)" } ?? "") is not implemented: \(refusal)")
    }
    return note.map { "-\(word) is ignored: \($0)" }
  }

  static let all: [String: ForeignFlag] = {
    var all: [String: ForeignFlag] = [:]
    func add(_ words: [String], _ flag: ForeignFlag) { for word in words { all[word] = flag } }

    add(["name", "uuid", "msg", "k", "overcommit", "sandbox"], ForeignFlag())
    add(["no-user-config", "mem-prealloc"], ForeignFlag(takesValue: false))
    add(["icount"], ForeignFlag(note: "Martlet always counts instructions"))
    add(["rtc"], ForeignFlag(note: "clocks of the guest show virtual time"))
    add(["tb-size"], ForeignFlag(note: "the code cache takes what it needs"))
    add(["L"], ForeignFlag(note: "firmware is a path after -bios, boards are in the folder MARTLET_BOARDS names"))
    add(["boot"], ForeignFlag(note: "a board starts what -bios, -kernel or -device loader,… gives it"))
    add(
      ["singlestep", "one-insn-per-tb"],
      ForeignFlag(takesValue: false, note: "blocks keep their length; 'step' in the monitor goes by instructions"))
    let translates = "code is always translated; choose how with --host jit or --host interpreter"
    add(["accel"], ForeignFlag(harmless: ["tcg"], refusal: translates))
    add(["enable-kvm"], ForeignFlag(takesValue: false, refusal: translates))

    let noNetwork = "there are no networks; use none"
    add(["net", "nic"], ForeignFlag(harmless: ["none"], refusal: noNetwork))
    add(["netdev"], ForeignFlag(refusal: noNetwork))
    let noDisplay = "there are no displays; use none or -nographic"
    add(["display", "vnc", "vga"], ForeignFlag(harmless: ["none"], refusal: noDisplay))
    add(["sdl", "gtk", "curses", "full-screen"], ForeignFlag(takesValue: false, refusal: noDisplay))
    add(["spice", "g"], ForeignFlag(refusal: noDisplay))
    add(["audio", "audiodev"], ForeignFlag(harmless: ["none"], refusal: "there is no sound; use none"))
    add(["soundhw"], ForeignFlag(refusal: "there is no sound; leave it out"))
    add(["parallel"], ForeignFlag(harmless: ["none", "null"], refusal: "there are no parallel ports; use none"))
    add(["usb"], ForeignFlag(takesValue: false, refusal: "there is no USB; leave it out"))
    add(["usbdevice"], ForeignFlag(refusal: "there is no USB; leave it out"))
    add(
      ["blockdev", "hda", "hdb", "hdc", "hdd", "cdrom", "fda", "fdb", "mtdblock", "pflash"],
      ForeignFlag(
        refusal:
          "there are no disks but -drive if=sd,file=FILE; put the data into memory with -initrd, or into memory or flash memory with"
          + " -device loader,file=FILE,addr=ADDRESS,force-raw=on"))
    add(["fsdev", "virtfs"], ForeignFlag(refusal: "files of the host are reached by -semihosting-config root=FOLDER"))
    add(["object", "fw_cfg", "smbios", "acpitable"], ForeignFlag(refusal: "no device here takes it; leave it out"))
    add(
      ["global", "set"],
      ForeignFlag(refusal: "devices are as the board's devicetree says; change it there, and give it with -M FILE"))
    add(
      ["watchdog", "watchdog-action"], ForeignFlag(refusal: "a board's watchdogs reset it; add -no-reboot to end then"))
    add(["action"], ForeignFlag(refusal: "use -no-reboot, -no-shutdown or --exit-code-from-guest"))

    add(["trace"], ForeignFlag(refusal: "use -d ITEM,… ('-d help' lists them), or 'profile' and 'why' in the monitor"))
    add(["plugin"], ForeignFlag(refusal: "use 'profile', 'blocks' and 'why' in the monitor, or --perf-map"))
    let script = "programs may drive the monitor at -monitor unix:PATH,server,nowait, or with --monitor-script"
    add(["qmp", "qmp-pretty"], ForeignFlag(refusal: "there is no QMP; " + script))
    add(["loadvm", "incoming"], ForeignFlag(refusal: "use 'save' and 'restore' in the monitor; " + script))
    add(["snapshot"], ForeignFlag(takesValue: false, refusal: "there are no disks; leave it out"))
    add(["readconfig", "writeconfig"], ForeignFlag(refusal: "write the flags on the command line"))
    add(["echr"], ForeignFlag(refusal: "the escape key is Ctrl-A; Ctrl-A Ctrl-A sends it"))
    add(["daemonize"], ForeignFlag(takesValue: false, refusal: "start Martlet with '&' or setsid, and with -pidfile"))
    return all
  }()
}
