import CLinux

/// Flags and directions of the socket calls.
///
/// Use these, not the C names: `import Glibc` finds `MSG_NOSIGNAL` and its kin in one build and not in the next (they belong to
/// anonymous enumerations, and to whichever module the compiler happened to read them from first).
public enum SocketFlags {
    /// Writing to a peer that has gone is an error, no signal.
    public static var noSignal: Int32 { srup_msg_nosignal() }
    /// EAGAIN in place of waiting.
    public static var dontWait: Int32 { srup_msg_dontwait() }
    /// What is read stays to be read.
    public static var peek: Int32 { srup_msg_peek() }
    /// For `shutdown`: nothing more will be written.
    public static var endWriting: Int32 { srup_shut_wr() }
    /// For `shutdown`: nothing more will be written or read.
    public static var endBoth: Int32 { srup_shut_rdwr() }
}
