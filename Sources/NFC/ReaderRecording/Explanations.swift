import NFCProtocols

/// A Type 2 tag's pages: the capability container, lock and memory control TLVs and the message are kept.
enum TagExplanation {
    /// Of the first sector, in pages of four bytes.
    private static let pages = 256

    static func of(_ exchanges: [Exchange]) -> [(Int, [Bool])]? {
        var memory = [UInt8?](repeating: nil, count: 4 * pages)
        for exchange in exchanges where exchange.isGood {
            guard let start = start(exchange) else { continue }
            for (place, byte) in exchange.data.prefix(16).enumerated() where start + place < memory.count {
                // Rewritten in between: it held something else, too.
                guard memory[start + place] == nil || memory[start + place] == byte else { return nil }
                memory[start + place] = byte
            }
        }
        guard let end = end(memory) else { return nil }
        return exchanges.map { exchange in
            guard exchange.isGood, let start = start(exchange) else { return exchange.blanked }
            return exchange.mask { $0 < 16 && (12..<end).contains(start + $0) }
        }
    }

    /// Where a READ begins, in bytes.
    private static func start(_ exchange: Exchange) -> Int? {
        guard exchange.sent.count >= 2, exchange.sent[0] == 0x30, exchange.data.count >= 16 else { return nil }
        return 4 * Int(exchange.sent[1])
    }

    /// Behind a test message, and behind its terminator; `nil`: there is no such message, or something else before it.
    private static func end(_ memory: [UInt8?]) -> Int? {
        var place = 16
        while place + 2 < memory.count, let type = memory[place], let length = memory[place + 1] {
            switch (type, length) {
            case (0x00, _): place += 1
            case (0x01, 3), (0x02, 3): place += 5
            case (0x03, 1...0xFE):
                let (start, end) = (place + 2, place + 2 + Int(length))
                guard end < memory.count else { return nil }
                let message = memory[start..<end].compactMap { $0 }
                guard message.count == Int(length), TestMessage.isTest(message) else { return nil }
                return memory[end] == 0xFE ? end + 1 : end
            default: return nil
            }
        }
        return nil
    }
}

/// A Type 4 tag's files: the head of the capability container, and the message's file as far as the message goes.
enum CardExplanation {
    /// Of a capability container with one file, in bytes.
    private static let capability = 15
    private static let capabilityFile = 0xE103

    private struct Read {
        let file: Int
        let offset: Int
    }

    static func of(_ exchanges: [Exchange]) -> [(Int, [Bool])]? {
        var selected: Int?
        var reads: [Read?] = []
        var files: [Int: [Int: UInt8]] = [:]
        for exchange in exchanges {
            reads.append(nil)
            let sent = exchange.sent
            guard sent.count >= 5, sent[0] == 0x00 else { continue }
            if sent[1] == 0xA4 {
                let name = Array(sent.dropFirst(5).prefix(Int(sent[4])))
                selected = sent[2] == 0x00 && name.count == 2 ? Int(name[0]) << 8 | Int(name[1]) : nil
            }
            guard sent[1] == 0xB0, exchange.isGood, let file = selected, exchange.data.count >= 2 else { continue }
            let offset = Int(sent[2]) << 8 | Int(sent[3])
            reads[reads.count - 1] = Read(file: file, offset: offset)
            for (place, byte) in exchange.data.dropLast(2).enumerated() {
                let known = files[file]?[offset + place]
                // Rewritten in between: it held something else, too.
                guard known == nil || known == byte else { return nil }
                files[file, default: [:]][offset + place] = byte
            }
        }
        var ends = [capabilityFile: capability]
        for (file, bytes) in files where file != capabilityFile {
            guard let high = bytes[0], let low = bytes[1] else { return nil }
            let end = 2 + (Int(high) << 8 | Int(low))
            let message = (2..<max(2, end)).compactMap { bytes[$0] }
            guard message.count == end - 2, TestMessage.isTest(message) else { return nil }
            ends[file] = end
        }
        guard ends.count > 1 else { return nil }
        return zip(exchanges, reads).map { exchange, read in
            let count = exchange.data.count
            return exchange.mask { place in
                // SW1 and SW2.
                if place >= count - 2, count >= 2 { return true }
                return read.map { $0.offset + place < ends[$0.file] ?? 0 } ?? false
            }
        }
    }
}

/// What a peer sends by LLCP: PDUs that hold numbers alone, and SNEP requests that hold a test message.
enum LinkExplanation {
    static func of(_ exchanges: [Exchange]) -> [(Int, [Bool])]? {
        var streams: [Int: [UInt8]] = [:]
        for exchange in exchanges where exchange.isGood && !exchange.data.isEmpty {
            // Only what is written as it is always written has no room for anything else.
            guard let pdu = try? PDU(parsing: exchange.data), pdu.bytes == exchange.data, take(pdu, &streams) else {
                return nil
            }
        }
        var hasTest = false
        for stream in streams.values {
            guard let isTest = isTest(stream) else { return nil }
            hasTest = hasTest || isTest
        }
        guard hasTest else { return nil }
        return exchanges.map { exchange in exchange.mask { _ in exchange.isGood } }
    }

    /// - Returns: `false` when it may hold something else.
    private static func take(_ pdu: PDU, _ streams: inout [Int: [UInt8]]) -> Bool {
        switch pdu {
        case .symmetry, .parameterExchange, .disconnect, .disconnectedMode, .frameReject, .receiveReady,
            .receiveNotReady:
            return true
        case .connect(_, _, let parameters), .connectionComplete(_, _, let parameters):
            return isService(parameters.service)
        case .serviceNameLookup(let requests, _): return requests.allSatisfy { isService($0.name) }
        case .information(let dsap, let ssap, _, _, let information):
            streams[Int(dsap) << 8 | Int(ssap), default: []] += information
            return true
        case .aggregate(let inner): return inner.allSatisfy { take($0, &streams) }
        case .unnumbered, .other, .malformed: return false
        }
    }

    private static func isService(_ name: String?) -> Bool { name == nil || name == LLCPLink.snepName }

    /// Whether a stream of SNEP requests and responses has a test message, and no other; `nil`: it has.
    private static func isTest(_ stream: [UInt8]) -> Bool? {
        var rest = stream[...]
        var hasTest = false
        while !rest.isEmpty {
            guard rest.count >= 6 else { return nil }
            let head = Array(rest.prefix(6))
            let length = head[2...].reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(6)
            guard length <= rest.count else { return nil }
            guard length > 0 else { continue }
            // A PUT.
            guard head[1] == 0x02, TestMessage.isTest(Array(rest.prefix(length))) else { return nil }
            hasTest = true
            rest = rest.dropFirst(length)
        }
        return hasTest
    }
}
