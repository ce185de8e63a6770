/// This release, as every program says it (`--version`), an observer to its server, and the packages.
public enum Release {
    /// Semantic versioning. Read by `deploy/packages/build`, too.
    public static let version = "0.1.0"
}
