// Owns the statement that a RISC-V CPU model is a guest; its parts stand beside what they need.

import GuestKit

extension RISCVGuest: Guest {}
