/// Which of the codes in view is meant: one that stays, alone.
///
/// Who puts another code beside the operator's gets nothing: as long as two that differ are seen, none is taken.
struct InvitationChoice {
    /// Which hosts are taken; empty: any.
    let hosts: Set<String>
    /// So long one must be the only one.
    static let settling = Duration.seconds(2)
    /// What was not seen for so long has gone.
    static let absence = Duration.seconds(4)
    /// So many texts are remembered; who shows more shows none that counts.
    static let maximumTexts = 64

    private struct Text {
        let invitation: Invitation?
        var last: Duration
    }
    private var texts: [String: Text] = [:]
    private var complaints: Set<String> = []
    /// Since when there is but one.
    private var aloneSince: Duration?

    init(hosts: Set<String>) {
        self.hosts = hosts
    }

    /// What was seen, and when.
    ///
    /// - Returns: what to tell whoever stands there, in words; `nil` when it is nothing new.
    mutating func saw(_ text: String, at now: Duration) -> String? {
        guard Invitation.isMeant(text) else { return nil }
        let known = String(text.utf8.prefix(Invitation.longest + 1)) ?? ""
        if texts[known] != nil {
            texts[known]?.last = now
            return nil
        }
        var invitation: Invitation?
        var complaint: String?
        do throws(InvitationError) {
            let found = try Invitation(text)
            if hosts.isEmpty || hosts.contains(found.host) {
                invitation = found
            } else {
                complaint = "an invitation to \(found.host) is in view, which the configuration does not allow"
            }
        } catch {
            complaint = "a code or tag is no invitation: \(error)"
        }
        if texts.count < Self.maximumTexts {
            texts[known] = Text(invitation: invitation, last: now)
        }
        aloneSince = nil
        return complaint.flatMap { say($0) }
    }

    /// Each thing once, and not without end.
    private mutating func say(_ words: String) -> String? {
        complaints.count < Self.maximumTexts && complaints.insert(words).inserted ? words : nil
    }

    /// The invitation that is meant, when it is clear.
    ///
    /// - Returns: it, and what to tell.
    mutating func chosen(at now: Duration) -> (invitation: Invitation?, words: String?) {
        texts = texts.filter { now - $0.value.last <= Self.absence }
        guard texts.count <= 1 else {
            aloneSince = nil
            return (nil, say("several codes or tags that differ are in view: leave only one there"))
        }
        guard let one = texts.values.first, let invitation = one.invitation else {
            aloneSince = nil
            return (nil, nil)
        }
        let since = aloneSince ?? now
        aloneSince = since
        return (now - since >= Self.settling ? invitation : nil, nil)
    }
}
