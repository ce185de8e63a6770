/// Waits until `condition` holds, at most `limit`, also in a task that is cancelled: for the last moments of a service.
public func waitEvenIfCancelled(atMost limit: Duration, until condition: @escaping @Sendable () -> Bool) async {
    await Task.detached {
        let deadline = ContinuousClock.now + limit
        while !condition() && ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(5)) }
    }.value
}
