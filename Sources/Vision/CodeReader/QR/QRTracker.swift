import Geometry
import Luma

/// Reads QR codes in a stream of frames: where they were before first, then everywhere; what is dear is spread over frames;
/// what one frame alone does not give, several may. A symbol that is read does not end the search for others.
final class QRTracker {
    /// Work for a frame, in units of ``WorkBudget``: so much, and so much more for each megapixel. Some ten nanoseconds
    /// each on a desktop's processor.
    private static let (units, unitsPerMegapixel) = (250_000, 400_000)
    /// In every nth frame there is so much for large symbols that are surely there: enough for one of the largest.
    private static let (allowancePeriod, allowance) = (15, 5_000_000)
    /// For looking again where symbols were.
    private static let trackUnits = 300_000
    /// Less than this does not last for one.
    private static let minimumTrackUnits = 60_000
    /// A part of the frame that is looked at harder is at most as large as this, in pixels on a side.
    private static let tile = (width: 640, height: 480)
    /// About a symbol that is followed, so much is looked at: a share of its size, and modules.
    private static let (marginShare, margin): (Float, Float) = (0.25, 6)
    /// In so many frames it is looked for others although symbols were read: once in the picture as it is, once in its
    /// smaller copies, once harder.
    private static let period = 8
    /// Of those looks, only every nth is at all of the frame; the others are where it has changed of late.
    private static let rounds = 4
    /// Of the symbols that are read, each is read again in at least every nth frame.
    private static let rotation = 4
    /// At most so many symbols are followed.
    private static let maximumTracks = CodeReader.maximumReadings
    /// The second reader is asked again after so many frames: when nothing was read, and when something was.
    private static let (secondPeriod, secondPeriodWhenRead) = (5, 15)
    /// What was said so many frames ago counts no longer, and what was not read in so many frames is unread.
    private static let second = 30

    private let search = QRSearch(.frame)
    private let second: SecondReader?
    private var tracks: [QRTrack] = []
    private var frame = 0
    private var turn = 0
    /// When a symbol was read that had not been, and when the second reader was asked.
    private var (lastNew, lastSecond) = (-1000, -1000)
    /// What the last frame showed, read or not.
    private(set) var aim: Aim?

    /// - Parameter second: what is asked where finder patterns gave no text.
    init(second: SecondReader? = SecondReader()) {
        self.second = second
        search.onUnread = { [unowned self] symbol, samples, budget in
            self.vote(symbol, samples, &budget)
        }
    }

    /// Symbols that were found in the last second, in more than one frame, and could not be read in it.
    var unread: [Aim] {
        tracks.filter { track in
            track.count > 1 && frame - track.lastFrame <= Self.second && isUnread(track)
                && !tracks.contains { $0.isRead(in: frame, last: Self.second) && $0.overlaps(track) }
        }.map(\.symbol.aim)
    }

    private func isUnread(_ track: QRTrack) -> Bool {
        !track.isRead(in: frame, last: Self.second) && track.second.map { frame - $0.frame > Self.second } ?? true
    }

    /// Where symbols are that were read in the last frames.
    var grounds: [[Place]] { tracks.filter { $0.isRead(in: frame) }.map(\.symbol.grid.corners) }

    /// The QR codes that are read in the next frame. When there are many, not each is read in every frame.
    ///
    /// - Parameters:
    ///   - isHarder: also in a sharper copy of a part of it, when nothing is found without.
    ///   - changed: where it has changed of late; `nil`: nowhere. Beside a symbol that is read others are looked for there.
    func read(_ plane: LumaPlane, isHarder: Bool = true, changed: PixelBox? = nil) -> [Reading] {
        frame &+= 1
        // By the golden section, in the plane by its like: successive frames begin far from one another.
        search.start = (Float(frame) * 0.618).truncatingRemainder(dividingBy: 1)
        search.focus = Place(
            (Float(frame) * 0.7549).truncatingRemainder(dividingBy: 1),
            (Float(frame) * 0.5698).truncatingRemainder(dividingBy: 1))
        tracks.removeAll { $0.isForgotten(in: frame) }
        if frame % Self.allowancePeriod == 1 { search.allowance = WorkBudget(Self.allowance) }
        var findings = QRFindings()
        follow(plane, &findings)
        look(plane, isHarder, changed, &findings)
        var readings = findings.readings
        readings.add(secondReadings(plane, findings))
        setAim(findings)
        return readings.filter { !isContradicted($0) }
    }

    // MARK: Following

    private func follow(_ plane: LumaPlane, _ findings: inout QRFindings) {
        // What was missed once comes sooner.
        func turn(_ track: QRTrack) -> Int { track.lastTry - min(track.misses, 1) * Self.period }
        let inTurn = tracks.sorted { turn($0) < turn($1) }
        let read = inTurn.filter { $0.isRead(in: frame) }
        let count = max(min(read.count, 2), (read.count + Self.rotation - 1) / Self.rotation)
        var budget = WorkBudget(Self.trackUnits)
        for track in read.prefix(count) where budget.left >= Self.minimumTrackUnits {
            follow(plane, track, &findings, &budget)
        }
        // What is dear to read must not hold up what is not.
        guard let unread = inTurn.first(where: { !$0.isRead(in: frame) }) else { return }
        budget = WorkBudget(read.isEmpty ? Self.trackUnits : Self.trackUnits / 2)
        follow(plane, unread, &findings, &budget)
    }

    private func follow(
        _ plane: LumaPlane, _ track: QRTrack, _ findings: inout QRFindings, _ budget: inout WorkBudget
    ) {
        let found = again(plane, track, &budget)
        findings.add(found)
        note(found)
        if let index = tracks.firstIndex(where: { $0.isPlace(of: track.symbol) }), tracks[index].lastFrame != frame {
            tracks[index].misses += 1
        }
    }

    /// Remembers what was found.
    private func note(_ findings: QRFindings) {
        for symbol in findings.symbols {
            let index = track(of: symbol)
            guard let index else {
                if symbol.reading != nil { lastNew = frame }
                insert(QRTrack(symbol, frame: frame))
                continue
            }
            if symbol.reading != nil, !tracks[index].isRead(in: frame) { lastNew = frame }
            tracks[index].found(symbol, frame: frame)
        }
    }

    /// The track that a symbol goes on: in its place, or else the nearest of its kind that is not in its own any more.
    private func track(of symbol: QRFindings.Symbol) -> Int? {
        if let index = tracks.firstIndex(where: { $0.isPlace(of: symbol) }) { return index }
        let size = Float(symbol.grid.dimension) * symbol.module
        var best: (index: Int, distance: Float)?
        for (index, track) in tracks.enumerated() where track.lastTry == frame && track.lastFrame != frame {
            guard let distance = track.distance(to: symbol), distance < min(1.5 * size, best?.distance ?? .infinity)
            else { continue }
            best = (index, distance)
        }
        return best?.index
    }

    private func insert(_ track: QRTrack) {
        if tracks.count >= Self.maximumTracks {
            guard
                let oldest = tracks.indices.filter({ !tracks[$0].isRead(in: frame) })
                    .min(by: { tracks[$0].lastFrame < tracks[$1].lastFrame })
            else { return }
            tracks.remove(at: oldest)
        }
        tracks.append(track)
    }

    private func setAim(_ findings: QRFindings) {
        let read = tracks.filter { $0.lastRead == frame }
        // Of several it is the same one for as long as it is seen.
        if let aim, aim.wasRead, let track = tracks.first(where: { $0.isPlace(of: aim) }),
            track.lastRead == frame || (track.lastTry != frame && track.isRead(in: frame, last: Self.period))
        {
            self.aim = track.symbol.aim
            self.aim?.wasRead = true
        } else if let track = read.first {
            aim = track.symbol.aim
            aim?.wasRead = true
        } else {
            aim = findings.aim
        }
    }

    // MARK: Looking

    /// Everywhere, when nothing was read; when something was, with a part of that effort, in turn.
    private func look(
        _ plane: LumaPlane, _ isHarder: Bool, _ changed: PixelBox?, _ findings: inout QRFindings
    ) {
        let units = Self.units + Self.unitsPerMegapixel * plane.width * plane.height / 1_000_000
        let levels = QRSearch.levels(width: plane.width, height: plane.height)
        var budget = WorkBudget(units)
        // What was read a moment ago and was not this time may have gone.
        search.known = tracks.filter { $0.isRead(in: frame) && ($0.lastTry != frame || $0.lastRead == frame) }
            .map(\.symbol.grid.corners)
        var found = QRFindings()
        let slot = frame % Self.period
        let isWhole = frame / Self.period % Self.rounds == 0
        if findings.readings.isEmpty {
            found.add(everywhere(plane, levels, &budget))
            if found.readings.isEmpty, isHarder {
                budget.lend(max(budget.left, units / 5)) {
                    found.add(harder(plane, found.hint ?? findings.hint, &$0))
                }
            }
        } else if frame - lastNew <= 2 {
            // Where one has just come into view there may be more.
            found.add(everywhere(plane, frame % 2 == 0 ? [0] : levels, in: changed, &budget))
        } else if isWhole || changed != nil {
            let part = isWhole ? nil : changed
            if slot == 0 {
                found.add(everywhere(plane, [0], in: part, &budget))
            } else if slot == Self.period / 2 {
                found.add(everywhere(plane, levels.filter { $0 > 0 }, in: part, &budget))
            } else if slot == Self.period - 1 {
                budget.lend(units / 5) { found.add(harder(plane, nil, &$0)) }
            }
        }
        search.known = []
        note(found)
        findings.add(found)
    }

    /// Around the last place.
    private func again(_ plane: LumaPlane, _ track: QRTrack, _ budget: inout WorkBudget) -> QRFindings {
        for index in tracks.indices where tracks[index].isPlace(of: track.symbol) { tracks[index].lastTry = frame }
        let module = track.symbol.module
        guard let box = track.symbol.grid.corners.bounds else { return QRFindings() }
        let margin = (box.high - box.low) * Self.marginShare + Self.margin * module
        guard let part = plane.part(from: box.low - margin, to: box.high + margin) else { return QRFindings() }
        search.known = tracks.filter { $0.isRead(in: frame) && !$0.isPlace(of: track.symbol) }
            .map(\.symbol.grid.corners)
        search.begin(part.plane, origin: part.origin)
        defer { search.end() }
        var findings = QRFindings()
        // Where modules have 1.5 to 3 pixels, then twice that.
        var level = 0
        while module / Float(2 << level) >= 1.5 { level += 1 }
        var looks = [
            QRSearch.Look(level: level), .init(level: max(0, level - 1)), .init(level: level, isSharpened: true),
        ]
        // What is found in one way only is found in that way again.
        let last = track.symbol.look
        if last.isSharpened || last.isCoarse { looks.insert(last, at: 0) }
        for look in looks where look.isSharpened || look.level != level || findings.symbols.isEmpty {
            findings.add(search.look(look, &budget))
            if !findings.readings.isEmpty { break }
        }
        return findings
    }

    /// At some levels, the coarsest first; those after the first that gives something are left to other frames.
    ///
    /// - Parameter box: only there.
    private func everywhere(
        _ plane: LumaPlane, _ levels: [Int], in box: PixelBox? = nil, _ budget: inout WorkBudget
    ) -> QRFindings {
        var findings = QRFindings()
        let part = box.map { plane.part(from: $0.low, to: $0.high) }
        guard let (plane, origin) = part ?? (plane, Place.zero) else { return findings }
        search.begin(plane, origin: origin)
        defer { search.end() }
        for (index, level) in levels.enumerated() {
            // Each level may use half of what is left; the finest, which comes last, all.
            budget.lend(index == levels.count - 1 ? budget.left : budget.left / 2) {
                findings.add(search.look(.init(level: level), &$0))
            }
            if !findings.readings.isEmpty { break }
        }
        return findings
    }

    /// In a sharper copy of a part of the frame, around a hint or of all parts in turn, every other time those of the copy of
    /// half size; and now and then in small copies, sharper and coarser.
    private func harder(_ plane: LumaPlane, _ hint: QRFindings.Hint?, _ budget: inout WorkBudget) -> QRFindings {
        turn &+= 1
        if turn % 6 == 0 { return small(plane, isSharpened: turn % 12 == 0, &budget) }
        if let hint = hint?.aim, turn % 2 == 0 {
            let places = hint.corners
            let reach = Place(repeating: max((places[2] - places[0]).length * 1.2, 20 * hint.module))
            let size = Place(Float(Self.tile.width), Float(Self.tile.height)) / 2
            let middle = (places[0] + places[2]) / 2
            let half = pointwiseMin(reach, size)
            return sharpened(plane, from: middle - half, to: middle + half, level: hint.module >= 4 ? 1 : 0, &budget)
        }
        let step = turn / 2
        return sharpened(plane, step / 2, level: step % 2 == 0 ? 1 : 0, &budget)
    }

    private func small(_ plane: LumaPlane, isSharpened: Bool, _ budget: inout WorkBudget) -> QRFindings {
        var findings = QRFindings()
        search.begin(plane)
        defer { search.end() }
        for level in QRSearch.levels(width: plane.width, height: plane.height) where level > (isSharpened ? 1 : 0) {
            budget.lend(budget.left * 2 / 3) {
                findings.add(search.look(.init(level: level, isSharpened: isSharpened, isCoarse: true), &$0))
            }
            if !findings.readings.isEmpty { break }
        }
        return findings
    }

    /// The `number`th part at a level; parts overlap by a fifth.
    private func sharpened(_ plane: LumaPlane, _ number: Int, level: Int, _ budget: inout WorkBudget) -> QRFindings {
        let (width, height) = (Self.tile.width << level, Self.tile.height << level)
        func count(_ whole: Int, _ part: Int) -> Int {
            whole <= part ? 1 : 1 + (whole - part / 5 - 1) / (part - part / 5)
        }
        let (columns, rows) = (count(plane.width, width), count(plane.height, height))
        let (column, row) = (number % columns, number / columns % rows)
        func start(_ index: Int, _ count: Int, _ whole: Int, _ part: Int) -> Float {
            count == 1 ? 0 : Float((whole - part) * index / (count - 1))
        }
        let low = Place(start(column, columns, plane.width, width), start(row, rows, plane.height, height))
        return sharpened(plane, from: low, to: low + Place(Float(width), Float(height)), level: level, &budget)
    }

    private func sharpened(
        _ plane: LumaPlane, from low: Place, to high: Place, level: Int, _ budget: inout WorkBudget
    ) -> QRFindings {
        guard let part = plane.part(from: low, to: high) else { return QRFindings() }
        search.begin(part.plane, origin: part.origin)
        defer { search.end() }
        return search.look(.init(level: level, isSharpened: true), &budget)
    }

    // MARK: Several frames

    /// Adds a frame's samples of a symbol that could not be read to those of the frames before, and tries the mean.
    private func vote(
        _ symbol: QRFindings.Symbol, _ samples: ModuleSamples, _ budget: inout WorkBudget
    ) -> Reading? {
        let layout = search.decoder.layout(dimension: symbol.grid.dimension)
        if track(of: symbol) == nil { insert(QRTrack(symbol, frame: frame)) }
        guard let index = track(of: symbol) else { return nil }
        // Once a frame and cheap: not to be lost because the reading before has used up its share.
        var own = WorkBudget(1_000_000)
        guard tracks[index].memory.add(samples, layout, frame: frame), let text = search.decoder.decode(layout, &own)
        else { return nil }
        return Reading(text, symbology: .qr, corners: symbol.aim.corners)
    }

    // MARK: Two readers

    /// What zbar reads where we do not, now and then; and where it has contradicted us, whether it still does.
    private func secondReadings(_ plane: LumaPlane, _ findings: QRFindings) -> [Reading] {
        guard let second else { return [] }
        let period = findings.readings.isEmpty ? Self.secondPeriod : Self.secondPeriodWhenRead
        let disputed = tracks.first { track in track.lastRead == frame && isDisputed(track) }
        let wait = frame - lastSecond
        guard wait >= (disputed == nil ? period : 2),
            let part = disputed.map({ .init($0.symbol) }) ?? unreadPart(findings)
        else { return [] }
        lastSecond = frame
        var found = second.read(plane, part)
        if found.isEmpty { found = second.read(plane, part, isCoarse: true) }
        for reading in found {
            for index in tracks.indices where tracks[index].symbol.isPlace(of: reading) {
                tracks[index].second = (reading, frame)
            }
        }
        return found.filter { other in !findings.symbols.contains { $0.reading != nil && $0.isPlace(of: other) } }
    }

    /// Of what is found and not read, that which the second reader has not seen for longest.
    private func unreadPart(_ findings: QRFindings) -> SecondReader.Part? {
        let unread = tracks.indices.filter { tracks[$0].lastFrame == frame && !tracks[$0].isRead(in: frame) }
        let hint = findings.hint.flatMap { hint in
            tracks.contains { $0.isRead(in: frame) && $0.symbol.covers(hint.aim) } ? nil : hint
        }
        // Hints and symbols take turns.
        if let hint, unread.isEmpty || lastSecond % 2 == 0 { return .init(hint) }
        guard let index = unread.min(by: { tracks[$0].lastSecond < tracks[$1].lastSecond }) else { return nil }
        tracks[index].lastSecond = frame
        return .init(tracks[index].symbol)
    }

    private func isDisputed(_ track: QRTrack) -> Bool {
        guard let second = track.second, frame - second.frame <= Self.second, let reading = track.reading,
            track.isRead(in: frame, last: Self.second)
        else { return false }
        return SecondReader.contradicts(second.reading, reading)
    }

    private func isContradicted(_ reading: Reading) -> Bool {
        tracks.contains { $0.symbol.isPlace(of: reading) && isDisputed($0) }
    }
}
