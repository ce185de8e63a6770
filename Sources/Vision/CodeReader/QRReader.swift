/// Who reads QR codes. Of two that read the same symbol differently, neither is believed.
public enum QRReader: String, Sendable, CaseIterable {
    /// This project's own search and decoder.
    case own
    /// zbar's: beside ours it gets the places where ours found finder patterns and no text; alone, whole pictures.
    case zbar
}
