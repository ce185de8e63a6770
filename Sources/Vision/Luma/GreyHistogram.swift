extension [Int] {
    /// In a histogram of 256 grey levels: the level of the pixel that has so many darker or equally dark ones before it; 0
    /// when there are no pixels.
    public func greyLevel(ofRank rank: Int) -> Int {
        var sum = 0
        for (level, pixels) in enumerated() {
            sum += pixels
            if sum > rank { return level }
        }
        return 0
    }
}
