// Presentation: written in the commits that follow.
