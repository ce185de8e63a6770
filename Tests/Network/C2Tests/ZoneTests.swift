import JoiningDevice
import Limits
import Observation
import SRUP
import SeededRandom
import TestNetwork
import Testing

@testable import C2
@testable import Participant

/// Zones: a device names nobody, and whoever stands where it is may vouch; and policies that ask for several.
@Suite struct ZoneTests {
    /// Observers of ours, devices of ours, and who stands before whom.
    final class Scene {
        let network: TestNetwork
        let server: TestServer
        private(set) var observers: [TestObserver] = []
        private(set) var devices: [TestDevice] = []
        /// Before which observers each device stands.
        var places: [DeviceID: Set<DeviceID>] = [:]
        /// What else each observer sees.
        var strangers: [DeviceID: [UInt8]] = [:]

        init(seed: UInt64 = 1, _ change: (inout C2Rules) -> Void = { _ in }) async throws {
            network = try TestNetwork(seed: seed)
            server = try await TestServer(network) {
                $0.observationTimeout = .seconds(60)
                $0.limits.joinsPerMinute = 600
                change(&$0)
            }
            network.onClose { [weak self] in
                self?.observers = []
                self?.devices = []
            }
        }

        func addObserver(_ number: UInt64, zone: String?, eyes: EyeKind? = nil) async throws -> TestObserver {
            let id = DeviceID(0x0B00 + number)
            try server.know(id, type: "observer")
            try server.state.trust(id, now: Double(number))
            if let zone { try server.state.set(zones: [zone], of: id) }
            if let eyes { try server.state.set(eyes: eyes, of: id) }
            var rules = WatchRules()
            rules.timeout = .seconds(40)
            let observer = try await TestObserver(id, network, rules: rules)
            observers.append(observer)
            await network.settle()
            return observer
        }

        @discardableResult
        func addDevice(_ number: UInt64, type: String = "sensor", before: [TestObserver]) async throws -> TestDevice {
            let id = DeviceID(0xD000 + number)
            try server.know(id, type: type)
            places[id] = Set(before.map(\.id))
            let device = try await TestDevice(id, network)
            devices.append(device)
            return device
        }

        /// Time passes, and each observer sees what stands before it.
        func look(for seconds: Int, until isDone: () -> Bool = { false }) async {
            for _ in 0..<seconds * 2 where !isDone() {
                await network.advance(by: .milliseconds(500), step: .milliseconds(250))
                for device in devices {
                    guard let shown = device.shown else { continue }
                    for observer in observers where places[device.id]?.contains(observer.id) == true {
                        _ = await observer.see(shown)
                    }
                }
                for observer in observers {
                    if let value = strangers[observer.id] { _ = await observer.see(value) }
                }
                await network.settle()
            }
        }

        func vouchers(_ device: TestDevice) throws -> String? {
            try server.state.joins(of: device.id, limit: 10).first { $0.ending?.outcome == .joined }?.ending?.why
        }
    }

    @Test func fourObserversAndTwentyDevicesAtOnce() async throws {
        for seed in 1...3 as ClosedRange<UInt64> {
            let scene = try await Scene(seed: seed) { $0.zones["sensor"] = "hall" }
            defer { scene.network.close() }
            for number in 0..<4 as Range<UInt64> { _ = try await scene.addObserver(number, zone: "hall") }
            let outside = try await scene.addObserver(9, zone: "cellar")
            for number in 0..<20 as Range<UInt64> {
                try await scene.addDevice(number, before: [scene.observers[Int(number % 4)]])
            }
            await scene.look(for: 200) { scene.devices.allSatisfy(\.member.isJoined) }
            for (index, device) in scene.devices.enumerated() {
                #expect(device.member.isJoined, "seed \(seed), device \(index)")
                #expect(try scene.vouchers(device) == "observed by \(scene.observers[index % 4].id)")
            }
            #expect(outside.wakes == 0, "who serves another zone was asked")
            // Nobody goes on looking for who is in.
            await scene.look(for: 2)
            for observer in scene.observers { #expect(await observer.service.openWatches == 0) }
        }
    }

    @Test func aDeviceThatNobodyInItsZoneSeesIsNotLetInByAnotherZone() async throws {
        let scene = try await Scene { $0.zones["sensor"] = "hall" }
        defer { scene.network.close() }
        _ = try await scene.addObserver(0, zone: "hall")
        let other = try await scene.addObserver(1, zone: "cellar")
        let device = try await scene.addDevice(1, before: [other])
        await scene.look(for: 300)
        #expect(!device.member.isJoined)
        // Nor when it names that observer itself.
        let puppet = try Puppet(DeviceID(0xD77), scene.network)
        try scene.server.know(puppet.id, type: "sensor")
        try puppet.ask(.observedJoinRequest(observer: other.id))
        await scene.network.settle()
        #expect(puppet.answers == [.joinFail])
    }

    @Test func anyInvalidEndsIt() async throws {
        let scene = try await Scene { $0.zones["sensor"] = "hall" }
        defer { scene.network.close() }
        let liar = try Puppet(DeviceID(0x0B77), scene.network)
        try scene.server.know(liar.id, type: "observer")
        try scene.server.state.trust(liar.id, now: 0)
        try scene.server.state.set(zones: ["hall"], of: liar.id)
        liar.onMessage = { [weak liar] message in
            if case .observationRequest = message.body {
                try liar?.say(.response(.observedJoinInvalid), message.token)
            }
        }
        try liar.ask(.joinRequest)
        _ = try await scene.addObserver(1, zone: "hall")
        let device = try await scene.addDevice(1, before: [])
        await scene.look(for: 5)
        #expect(!device.member.isJoined)
        let record = try #require(try scene.server.state.joins(of: device.id, limit: 1).first)
        #expect(record.ending?.outcome == .failed)
        #expect(record.observer == liar.id, "whose word it was is kept")
        #expect(device.shown == nil)
    }

    @Test func anObserverThatComesLaterIsAskedToo() async throws {
        let scene = try await Scene { $0.zones["sensor"] = "hall" }
        defer { scene.network.close() }
        let first = try await scene.addObserver(0, zone: "hall")
        let device = try await scene.addDevice(1, before: [])
        await scene.look(for: 3)
        let second = try await scene.addObserver(1, zone: "hall")
        scene.places[device.id] = [second.id]
        // The first says FAILED in its time; the next try asks both.
        await scene.look(for: 200) { device.member.isJoined }
        #expect(device.member.isJoined)
        #expect(first.wakes > 0)
    }

    @Test func aRestartOfTheServerInTheMiddleOfATryIsSurvived() async throws {
        let scene = try await Scene { $0.zones["sensor"] = "hall" }
        defer { scene.network.close() }
        let observer = try await scene.addObserver(0, zone: "hall")
        _ = try await scene.addObserver(1, zone: "hall")
        let device = try await scene.addDevice(1, before: [])
        await scene.look(for: 3)
        try await scene.server.restart()
        scene.places[device.id] = [observer.id]
        await scene.look(for: 300) { device.member.isJoined }
        #expect(device.member.isJoined)
    }

    // MARK: Several

    private func attacker(_ scene: Scene, eyes: EyeKind? = nil, zone: String? = nil) throws -> Puppet {
        let traitor = try Puppet(DeviceID(0x0BAD), scene.network)
        try scene.server.know(traitor.id, type: "observer")
        try scene.server.state.trust(traitor.id, now: 0)
        if let zone { try scene.server.state.set(zones: [zone], of: traitor.id) }
        if let eyes { try scene.server.state.set(eyes: eyes, of: traitor.id) }
        traitor.onMessage = { [weak traitor] message in
            guard case .observationRequest = message.body else { return }
            // Twice, and with the device's token, too, if it could guess it.
            try traitor?.say(.response(.observedJoinValid), message.token)
            try traitor?.say(.response(.observedJoinValid), message.token)
        }
        try traitor.ask(.joinRequest)
        // Its word for it that it has room for all.
        try traitor.say(
            .data(
                id: Array(DataName.identification.utf8),
                value: Array("x observations=32 session=1 eyes=camera,tap".utf8)))
        return traitor
    }

    @Test(arguments: 1...30 as ClosedRange<UInt64>)
    func withOneOfTwoObserversAnAttackersNobodyComesInUnseen(seed: UInt64) async throws {
        var random = SplitMix64(seed: seed)
        let policy = try #require(
            JoinPolicy(rawValue: seed % 2 == 0 ? "observed by 2" : "observed by camera and tap"))
        let scene = try await Scene(seed: seed) { $0.policies["sensor"] = policy }
        defer { scene.network.close() }
        let honest = try await scene.addObserver(0, zone: nil, eyes: .camera)
        let traitor = try attacker(scene, eyes: .tap)
        await scene.network.settle()
        let unseen = try await scene.addDevice(1, before: [])
        let puppet = try Puppet(DeviceID(0xD77), scene.network)
        try scene.server.know(puppet.id, type: "sensor")
        for _ in 0..<6 {
            let whom = [honest.id, traitor.id, TestServer.id].randomElement(using: &random) ?? honest.id
            try puppet.ask(.observedJoinRequest(observer: whom))
            if Bool.random(using: &random) { try await scene.server.restart() }
            await scene.look(for: Int.random(in: 1...80, using: &random))
        }
        #expect(try !scene.server.isMember(unseen.id))
        #expect(try !scene.server.isMember(puppet.id))
        #expect(!puppet.answers.contains(.joinSuccess))
        // An honest one that stands there comes in all the same.
        let seen = try await scene.addDevice(2, before: [honest])
        await scene.look(for: 300) { seen.member.isJoined }
        #expect(seen.member.isJoined)
        #expect(try scene.vouchers(seen)?.contains(honest.id.hex) == true)
    }

    @Test func ofTwoOneAloneIsNotEnough() async throws {
        let scene = try await Scene { $0.policies["sensor"] = JoinPolicy(rawValue: "observed by 2") ?? .refuse }
        defer { scene.network.close() }
        let first = try await scene.addObserver(0, zone: nil)
        let second = try await scene.addObserver(1, zone: nil)
        let device = try await scene.addDevice(1, before: [first])
        await scene.look(for: 30)
        #expect(!device.member.isJoined)
        #expect(await first.service.verdicts["VALID"] == 1)
        scene.places[device.id] = [second.id]
        await scene.look(for: 5)
        #expect(device.member.isJoined, "the other one sees it in the same try")
        #expect(try scene.vouchers(device) == "observed by \(first.id) and \(second.id)")
    }

    @Test func whoHasVouchedAndIsNotTrustedAnyMoreDoesNotCount() async throws {
        let scene = try await Scene { $0.policies["sensor"] = JoinPolicy(rawValue: "observed by 2") ?? .refuse }
        defer { scene.network.close() }
        let first = try await scene.addObserver(0, zone: nil)
        let second = try await scene.addObserver(1, zone: nil)
        let device = try await scene.addDevice(1, before: [first])
        await scene.look(for: 10)
        try scene.server.state.distrust(first.id)
        scene.places[device.id] = [second.id]
        await scene.look(for: 10)
        #expect(!device.member.isJoined)
    }

    @Test func theKindsMustBeThere() async throws {
        let scene = try await Scene {
            $0.policies["sensor"] = JoinPolicy(rawValue: "observed by camera and tap") ?? .refuse
        }
        defer { scene.network.close() }
        let cameras = [
            try await scene.addObserver(0, zone: nil, eyes: .camera),
            try await scene.addObserver(1, zone: nil, eyes: .camera),
        ]
        let device = try await scene.addDevice(1, before: cameras)
        await scene.look(for: 5)
        #expect(!device.member.isJoined)
        let why = try scene.server.state.joins(of: device.id, limit: 1).first?.ending?.why
        #expect(why == nil, "it was not even begun: \(why ?? "")")
        let reader = try await scene.addObserver(2, zone: nil, eyes: .tap)
        scene.places[device.id] = [cameras[0].id, reader.id]
        await scene.look(for: 300) { device.member.isJoined }
        #expect(device.member.isJoined)
    }

    @Test func aMemberThatOneHasSeenIsLookedAtAgainWhenThePolicyAsksForTwo() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let first = try await scene.addObserver(0, zone: nil)
        let second = try await scene.addObserver(1, zone: nil)
        let device = try await scene.addDevice(1, before: [first])
        await scene.look(for: 20) { device.member.isJoined }
        #expect(device.member.isJoined)
        let two = try #require(JoinPolicy(rawValue: "observed by 2"))
        try await scene.server.server.setPolicy(two, for: "sensor", by: "test")
        try await device.member.join(.simple)
        await scene.look(for: 2)
        #expect(try !scene.server.isMember(device.id))
        scene.places[device.id] = [first.id, second.id]
        await scene.look(for: 300) { device.member.isJoined }
        #expect(try scene.server.participant.state.peer(device.id)?.admission?.way == .severally("2"))
        // And that is enough from then on, also when fewer are asked for, not when more are.
        let three = try #require(JoinPolicy(rawValue: "observed by 3"))
        for (policy, isMember) in [(two, true), (JoinPolicy.observed, true), (three, false)] {
            try await scene.server.server.setPolicy(policy, for: "sensor", by: "test")
            scene.places[device.id] = []
            try await device.member.join(.simple)
            await scene.look(for: 2)
            #expect(try scene.server.isMember(device.id) == isMember, "\(policy)")
        }
    }

    @Test func quorumsAreReadAndWritten() {
        for text in [
            "2", "5", "camera and tap", "camera and person", "3 with person", "3 with camera and tap",
            "camera and camera",
        ] {
            #expect(Quorum(text)?.description == text)
            #expect(JoinPolicy(rawValue: "observed by \(text)")?.rawValue == "observed by \(text)")
        }
        for text in [
            "", "1", "0", "6", "-2", "2 with", "with camera", "camera", "camera tap", "camera and", "and", "2 camera",
            "2 with camera and tap and person", "2 with nose", "99999999999999999999",
        ] {
            #expect(Quorum(text) == nil, "\(text)")
        }
        #expect(JoinPolicy(rawValue: "observed by ") == nil)
        for policy in JoinPolicy.allCases { #expect(JoinPolicy(rawValue: policy.rawValue) == policy) }
    }

    @Test func whatIsEnough() throws {
        let both = try #require(Quorum("camera and tap"))
        #expect(both.isMet(by: [.tap, .camera]))
        #expect(!both.isMet(by: [.camera, .camera, .person]))
        #expect(!both.isMet(by: [nil, .camera]))
        let three = try #require(Quorum("3 with person"))
        #expect(three.isMet(by: [nil, .person, .camera]))
        #expect(!three.isMet(by: [nil, .tap, .camera]))
        #expect(!three.isMet(by: [.person, .person]))
        #expect(three.canUse(nil))
        #expect(!both.canUse(nil))
        #expect(try three.covers(#require(Quorum("2"))))
        #expect(try !three.covers(both))
    }
}
