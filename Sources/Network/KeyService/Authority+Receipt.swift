import SRUP

extension Authority {
    /// A release receipt by the network's authority: that identity has ended, none of its certificates counts, and nobody gets
    /// its name again.
    ///
    /// - Throws: ``CryptoError``.
    public func receipt(for ended: KeyServiceState.Ended) throws -> ReleaseReceipt {
        try withKey { key in
            try ReleaseReceipt(
                of: ended.id, key: ended.key ?? [], ended: UInt64(max(0, ended.since)), signedBy: key)
        }
    }
}
