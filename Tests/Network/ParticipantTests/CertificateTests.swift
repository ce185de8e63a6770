import COpenSSL
import SRUP
import Testing

@testable import Participant

/// Certificates of authorities, made with openssl(1): all signed by themselves; only what they say is looked at here.
private enum Made {
    /// "authority", from the beginning of 2024 to that of 2026.
    static let old = """
        -----BEGIN CERTIFICATE-----
        MIIBEDCBtgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlhdXRob3JpdHkwHhcN
        MjQwMTAxMDAwMDAwWhcNMjYwMTAxMDAwMDAwWjAUMRIwEAYDVQQDDAlhdXRob3Jp
        dHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASl72yT+Axreu2QbDhO+AoPNKgu
        1j4LcEeXmhZaRYwfPoDvukXpSalUjNZgZFKaVCTJZermhme01GsZ5FzXlTc2MAoG
        CCqGSM49BAMCA0kAMEYCIQCJkmoLNStA7aKb2BGG/jhWV1g8CgPfgInSxSUDIJd3
        mwIhAIaJY0DG4HHCQwynrP/pyqKINa5i8jIsRRKW7xUumJBF
        -----END CERTIFICATE-----
        """

    /// The same name and key, from 2025 to 2027.
    static let new = """
        -----BEGIN CERTIFICATE-----
        MIIBDzCBtgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlhdXRob3JpdHkwHhcN
        MjUwMTAxMDAwMDAwWhcNMjcwMTAxMDAwMDAwWjAUMRIwEAYDVQQDDAlhdXRob3Jp
        dHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASl72yT+Axreu2QbDhO+AoPNKgu
        1j4LcEeXmhZaRYwfPoDvukXpSalUjNZgZFKaVCTJZermhme01GsZ5FzXlTc2MAoG
        CCqGSM49BAMCA0gAMEUCIQC3S4qgSvHVz2WYaK5mNn3ImwDyJBL3IS71xw7HRS7m
        lAIgShmnM1QXSEJtFzYTqEIN8pPvwW9+EBH0R+aAr8Q2vjw=
        -----END CERTIFICATE-----
        """

    /// The same name with another key.
    static let key = """
        -----BEGIN CERTIFICATE-----
        MIIBDjCBtgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlhdXRob3JpdHkwHhcN
        MjUwMTAxMDAwMDAwWhcNMjcwMTAxMDAwMDAwWjAUMRIwEAYDVQQDDAlhdXRob3Jp
        dHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASSaqRVuKN0ycFEgmCUZtTQhjvU
        TvFCtoMYNl5is7i7I/wtM3M4Y5nZLzHQ7/m9SJ6MFZ1MfaqbE9Bs/Qs1WZEkMAoG
        CCqGSM49BAMCA0cAMEQCIDGdOhcRiwDibySiTa1mh3MKNfa3dh+re1vY6AfXyMII
        AiAlbE+VTJpNbOMdtIluYVEsBmEJi+aSpi4vEqJK3vJrJA==
        -----END CERTIFICATE-----
        """

    /// The same key with another name.
    static let name = """
        -----BEGIN CERTIFICATE-----
        MIIBBzCBrgIBATAKBggqhkjOPQQDAjAQMQ4wDAYDVQQDDAVvdGhlcjAeFw0yNTAx
        MDEwMDAwMDBaFw0yNzAxMDEwMDAwMDBaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYH
        KoZIzj0CAQYIKoZIzj0DAQcDQgAEpe9sk/gMa3rtkGw4TvgKDzSoLtY+C3BHl5oW
        WkWMHz6A77pF6UmpVIzWYGRSmlQkyWXq5oZntNRrGeRc15U3NjAKBggqhkjOPQQD
        AgNIADBFAiEAxjBl2ZkstHSBgN8Rc2H2n1ck2ID75wJjKbSEi+wQgDICIAGVpJF7
        7OOoft9JHyPOulmazh+U5KrZCIDNv4V10urU
        -----END CERTIFICATE-----
        """

    static let begin = 1_704_067_200.0
    static let end = 1_767_225_600.0
    static let day = 86400.0
}

@Suite struct CertificateTests {
    @Test(
        arguments: [
            (Made.begin, Certificate.Validity.valid(days: 731)), (Made.end, .valid(days: 0)),
            (Made.end - 10 * Made.day, .valid(days: 10)), (Made.end - 10 * Made.day + 1, .valid(days: 9)),
            (Made.end + 1, .ended(days: 0)), (Made.end + 3 * Made.day, .ended(days: 3)),
            (Made.begin - 1, .future(days: 0)), (Made.begin - 2 * Made.day, .future(days: 2)),
            // Clocks that stand at their beginning, or nowhere.
            (0, .future(days: 19723)), (1e300, .ended(days: 1_000_000)), (-1e300, .future(days: 1_000_000)),
        ] as [(Double, Certificate.Validity)])
    func daysAreCountedFromTheMoment(_ now: Double, _ validity: Certificate.Validity) {
        #expect(Certificate.validity(Made.old, now: now) == validity)
    }

    @Test(
        arguments: [
            (Made.end - 60 * Made.day, false), (Made.end - 60 * Made.day + 1, true), (Made.end + 1, true),
            (Made.begin, false), (Made.begin - 1, false), (Made.begin - 2 * Made.day, true),
        ] as [(Double, Bool)])
    func aNewOneIsFetchedInTheLastSixtyDays(_ now: Double, _ isDue: Bool) {
        #expect(Certificate.isDue(Made.old, now: now) == isDue)
    }

    @Test(arguments: [
        "", "x", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", String(repeating: "A", count: 70_000),
    ])
    func whatIsNoCertificateHasNoDaysAndIsDue(_ text: String) throws {
        #expect(Certificate.validity(text, now: 0) == nil)
        #expect(Certificate.isDue(text, now: 0))
        #expect(Certificate.fits(text, key: try PrivateKey.generate()) == nil)
        #expect(!Certificate.isSuccessor(text, of: Made.old) && !Certificate.isSuccessor(Made.new, of: text))
    }

    @Test func whatIsCutOffIsNoCertificate() {
        for cut in [1, 30, 100, 300] {
            #expect(Certificate.validity(String(Made.old.dropLast(cut)), now: Made.begin) == nil, "\(cut)")
        }
    }

    @Test func onlyTheSameAuthorityMayFollowItself() {
        #expect(Certificate.isSuccessor(Made.new, of: Made.old))
        #expect(!Certificate.isSuccessor(Made.old, of: Made.new), "not backwards")
        #expect(!Certificate.isSuccessor(Made.old, of: Made.old), "not itself")
        #expect(!Certificate.isSuccessor(Made.key, of: Made.old), "not another's key under its name")
        #expect(!Certificate.isSuccessor(Made.name, of: Made.old), "not another name with its key")
    }

    @Test func anothersCertificateIsNotOurs() throws {
        let key = try PrivateKey.generate()
        #expect(Certificate.fits(Made.old, key: key) == false)
        #expect(throws: KeyServiceError.certificateNotOurs("it is for another key")) {
            try Certificate.check(Made.old, for: DeviceID(1), key: key)
        }
        #expect(throws: KeyServiceError.certificateNotOurs("it is no PEM certificate")) {
            try Certificate.check("x", for: DeviceID(1), key: key)
        }
        // Nothing of it is left for whoever asks OpenSSL next.
        #expect(ERR_peek_error() == 0)
    }
}

@Suite struct CertificateProblemTests {
    @Test(
        arguments: [
            (X509_V_ERR_CERT_HAS_EXPIRED, CertificateProblem.expired), (X509_V_ERR_CERT_NOT_YET_VALID, .notYetValid),
            (X509_V_OK, .otherHost), (X509_V_ERR_HOSTNAME_MISMATCH, .otherHost),
            (X509_V_ERR_IP_ADDRESS_MISMATCH, .otherHost), (X509_V_ERR_UNSPECIFIED, .otherHost),
            (X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, .otherAuthority),
            (X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, .otherAuthority),
            (X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, .otherAuthority),
        ] as [(Int32, CertificateProblem)])
    func whatOpenSSLSaysIsOneSentence(_ code: Int32, _ problem: CertificateProblem) {
        #expect(CertificateProblem(verified: Int(code)) == problem)
    }

    @Test func theRestIsSaidInOpenSSLsWords() {
        #expect(CertificateProblem(verified: Int(X509_V_ERR_CERT_REVOKED)) == .other("certificate revoked"))
        guard case .other = CertificateProblem(verified: .max) else {
            Issue.record("\(CertificateProblem(verified: .max))")
            return
        }
    }

    @Test func theSentenceNamesTheServerAndWhatHelps() {
        let broker = "the broker at c2:8883"
        #expect(CertificateProblem.expired.sentence(broker, authority: nil).contains("clock right"))
        #expect(
            CertificateProblem.otherAuthority.sentence(broker, authority: "/ca.pem")
                == "the certificate of the broker at c2:8883 is not signed by the authority in /ca.pem")
        #expect(CertificateProblem.otherAuthority.sentence(broker, authority: nil).contains("--ca FILE"))
        #expect(CertificateProblem.otherHost.sentence(broker, authority: nil).hasSuffix("is for another host name"))
    }
}

@Suite struct KeyServiceErrorTests {
    @Test func onlySomeThingsPass() {
        #expect(KeyServiceError.unreachable("u", "w").isPassing)
        for (status, passes) in [(429, true), (503, true), (400, false), (403, false), (500, false)] {
            #expect(KeyServiceError.refused(step: "s", status: status, says: "").isPassing == passes, "\(status)")
        }
        #expect(!KeyServiceError.badURL("u").isPassing && !KeyServiceError.inactive("u").isPassing)
    }

    @Test(arguments: [
        ("https://c2", "https://c2"), ("https://c2/", "https://c2"), ("https://c2:8443/KeyEx", "https://c2:8443"),
        ("https://c2/KeyEx/", "https://c2"), ("https://[::1]:1", "https://[::1]:1"), ("https://c2/x", "https://c2/x"),
    ])
    func theBaseOfTheServiceIsUnderstood(_ text: String, _ base: String) throws {
        #expect(try KeyServiceClient(url: text, authorityFile: nil).url == base)
    }

    @Test(arguments: ["", "c2", "http://c2", "HTTPS://c2", "https://c 2", "https://c2\n", "https://ü", "ftp://c2"])
    func whatIsNoAddressIsRefusedBeforeAnythingIsSent(_ text: String) {
        #expect(throws: KeyServiceError.badURL(text)) { try KeyServiceClient(url: text, authorityFile: nil) }
    }

    @Test func anAddressIsBounded() {
        let text = "https://" + String(repeating: "x", count: 504)
        #expect(throws: KeyServiceError.badURL(text)) { try KeyServiceClient(url: text, authorityFile: nil) }
    }

    @Test func aWelcomeNeedsABroker() throws {
        let key = try PrivateKey.generate().publicKey
        let full = KeyServiceClient.welcome(["broker": "mqtt://b:1", "default_c2": "B7", "key": key.pemBody])
        #expect(full?.brokerHost == "b" && full?.brokerPort == 1 && full?.server == DeviceID(0xB7))
        #expect(full?.serverKey == key)
        #expect(KeyServiceClient.welcome([:]) == nil && KeyServiceClient.welcome(["broker": ""]) == nil)
        let odd = KeyServiceClient.welcome(["broker": "b", "default_c2": "0", "key": "no key"])
        #expect(odd?.brokerPort == 8883 && odd?.server == nil && odd?.serverKey == nil)
    }
}
