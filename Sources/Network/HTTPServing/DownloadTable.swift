import Limits
import Synchronization

/// Who downloads something now. Safe to use from several threads.
final class DownloadTable: Sendable {
    private let perAddress: Int
    private let inAll: Int
    private let state = Mutex<[AddressGroup: Int]>([:])

    init(perAddress: Int, inAll: Int) {
        self.perAddress = perAddress
        self.inAll = inAll
    }

    /// A place in the table, for as long as it is kept.
    final class Place: Sendable {
        private let table: DownloadTable
        private let address: AddressGroup

        fileprivate init(_ table: DownloadTable, _ address: AddressGroup) {
            self.table = table
            self.address = address
        }

        deinit { table.giveBack(address) }
    }

    /// `nil` when there is no room.
    func take(_ address: AddressGroup) -> Place? {
        let isThere = state.withLock { counts in
            guard counts[address, default: 0] < perAddress, counts.values.reduce(0, +) < inAll else { return false }
            counts[address, default: 0] += 1
            return true
        }
        return isThere ? Place(self, address) : nil
    }

    private func giveBack(_ address: AddressGroup) {
        state.withLock { counts in
            counts[address, default: 0] -= 1
            if counts[address] == 0 { counts[address] = nil }
        }
    }

    var count: Int { state.withLock { $0.values.reduce(0, +) } }
}
